#include "repartee/providers/scripted_llm.hpp"
#include "run.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::providers;
using test::ok;
using test::run;

namespace {

const std::string notice_ko = "지금은 AI 서비스가 설정되어 있지 않아서, 준비된 말씀만 드릴 수 있어요.";
const std::string notice_en = "No AI service is configured at the moment, so I can only say what was written for me.";

Script doctor() { return {{"안녕하세요, 박지훈입니다.", "혈압은 재 보셨나요?", "식사는 어떠세요?"}, "건강하세요.", "ko"}; }

std::size_t occurrences(const std::string& text, const std::string& part)
{
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

/// The answers of a conversation in which the user says these things, "" being speech that nobody could read.
std::vector<std::string> converse(const Script& script, const std::vector<std::string>& said)
{
    std::vector<ChatMessage> messages{{"system", "You are a doctor. bye"}};
    std::vector<std::string> answers;
    for (const std::string& text : said) {
        messages.push_back({"user", text});
        answers.push_back(scripted_answer(script, messages));
        messages.push_back({"assistant", answers.back()});
    }
    return answers;
}

}  // namespace

TEST_CASE("spoken turns get the character's lines in order, the greeting once, and one honest notice")
{
    const auto answers = converse(doctor(), {"", "", "", "", ""});
    CHECK(answers == std::vector<std::string>{"안녕하세요, 박지훈입니다.", notice_ko + " 혈압은 재 보셨나요?", "식사는 어떠세요?", "혈압은 재 보셨나요?", "식사는 어떠세요?"});
}

TEST_CASE("a character whose greeting says that no AI service is there says it in its own words only")
{
    const std::string greeting = "안녕하세요. 지금은 인공지능 서비스가 연결되어 있지 않아서 연습하는 시간이에요.";
    const auto answers = converse(Script{{greeting, "둘", "셋"}, "", "ko"}, {"", "아파요", ""});
    CHECK(answers == std::vector<std::string>{greeting, "\"아파요\"라고 말씀하셨군요. 둘", "셋"});
}

TEST_CASE("a greeting needs no user message")
{
    CHECK(scripted_answer(doctor(), {}) == "안녕하세요, 박지훈입니다.");
}

TEST_CASE("typed words are quoted back, and the notice comes with the first of them only")
{
    const auto answers = converse(doctor(), {"", "머리가 아파요", "어제부터요"});
    CHECK(answers[1] == "\"머리가 아파요\"라고 말씀하셨군요. " + notice_ko + " 혈압은 재 보셨나요?");
    CHECK(answers[2] == "\"어제부터요\"라고 말씀하셨군요. 식사는 어떠세요?");
}

TEST_CASE("a long text is quoted up to 60 characters, never half of one")
{
    std::string typed;
    for (int i = 0; i < 61; ++i) typed += "쭉";
    const std::string answer = scripted_answer(doctor(), {{"user", typed}});
    CHECK(occurrences(answer, "쭉") == 60);
    CHECK(answer.find("쭉…\"라고") != std::string::npos);
}

TEST_CASE("a good-bye gets the closing line, other words that look like one do not")
{
    const struct {
        std::string said;
        bool goodbye;
    } table[] = {
        {"안녕히 계세요", true}, {"이제 끊을게요", true}, {"Bye!", true},        {"ok, goodbye", true},
        {"See you later", true}, {"안녕하세요", false},   {"byelaws?", false},   {"My bytes are gone", false},
        {"", false},             {"I said bye to my sister and then she told me a long story about it", false},
    };
    for (const auto& row : table) {
        INFO(row.said);
        const std::string answer = scripted_answer(doctor(), {{"assistant", "…"}, {"user", row.said}});
        CHECK((answer == "건강하세요.") == row.goodbye);
    }
}

TEST_CASE("only what was said since the last answer counts")
{
    const std::string answer = scripted_answer(doctor(), {{"user", "bye"}, {"assistant", "건강하세요."}});
    CHECK(answer == notice_ko + " 혈압은 재 보셨나요?");
}

TEST_CASE("without a character there is a polite script that says how to get an AI service")
{
    for (const std::string language : {"en", "ko", "fr"}) {
        const Script script{{}, "", language};
        const auto answers = converse(script, {"", "", "", "", "", "", language == "ko" ? "안녕히 계세요" : "bye"});
        const std::string& notice = language == "ko" ? notice_ko : notice_en;
        CHECK(answers[1].find(notice) == 0);
        CHECK(answers[1].find("OPENAI_API_KEY") != std::string::npos);
        std::string all;
        for (const auto& answer : answers) {
            CHECK(!answer.empty());
            all += answer;
        }
        CHECK(occurrences(all, notice) == 1);
        CHECK(occurrences(all, answers[0]) == 1);
    }
}

TEST_CASE("a character with one line greets with it once")
{
    const auto answers = converse(Script{{"Hi, I am Ann."}, "", "en"}, {"", "", "", ""});
    CHECK(answers[0] == "Hi, I am Ann.");
    for (std::size_t i = 1; i < answers.size(); ++i) CHECK(answers[i].find("I am Ann") == std::string::npos);
}

TEST_CASE("the answer comes in words and can be stopped between them")
{
    ScriptedLlm llm;
    ChatRequest request;
    request.script = std::make_shared<const Script>(Script{{"one two three"}, "", "en"});
    std::stop_source stop;
    std::vector<std::string> words;
    ChatSink sink;
    sink.text = [&](std::string_view word) {
        words.emplace_back(word);
        if (words.size() == 5) stop.request_stop();
    };
    const auto whole = run(llm.chat(request, sink, stop.get_token()));
    REQUIRE(ok(whole));
    CHECK(words == std::vector<std::string>{"one ", "two ", "three"});
    CHECK(whole->finish_reason == "stop");
    CHECK_FALSE(whole->usage.told);
    CHECK_FALSE(llm.reads_words());

    const auto stopped = run(llm.chat(request, sink, stop.get_token()));
    REQUIRE(!stopped);
    CHECK(stopped.error().code == Code::cancelled);
    CHECK(words.size() == 5);
}

TEST_CASE("without a script there is the generic one")
{
    ScriptedLlm llm;
    std::string text;
    ChatSink sink;
    sink.text = [&](std::string_view word) { text += word; };
    REQUIRE(ok(run(llm.chat(ChatRequest(), sink, {}))));
    CHECK(text.starts_with("안녕하세요"));
}

TEST_CASE("directions to a model are not quoted as the user's words")
{
    CHECK(scripted_answer(doctor(), {{"user", "(the conversation begins; speak first)"}}) == "안녕하세요, 박지훈입니다.");
    CHECK(scripted_answer(doctor(), {{"user", "머리가 아파요"}, {"user", "(The user has said nothing for a while.)"}}).find("머리가") != std::string::npos);
}
