#include "repartee/providers/scripted_llm.hpp"

#include "repartee/providers/text.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace repartee::providers {
namespace {

constexpr std::size_t quoted_characters_max = 60;
// A long text that happens to hold "bye" is not a good-bye.
constexpr std::size_t goodbye_characters_max = 40;

/// What is said besides a character's lines.
struct Phrases {
    std::string_view notice;  ///< said once a conversation
    std::string_view quote_before, quote_after;
    std::string_view closing_line;
    std::vector<std::string> lines;
};

const Phrases& phrases(bool korean)
{
    static const Phrases ko{
        "지금은 AI 서비스가 설정되어 있지 않아서, 준비된 말씀만 드릴 수 있어요.",
        "\"",
        "\"라고 말씀하셨군요.",
        "이야기 나눠 주셔서 감사합니다. 안녕히 가세요.",
        {"안녕하세요, 만나서 반갑습니다. 무슨 이야기를 나눠 볼까요?",
         "OPENAI_API_KEY를 설정하시면 제대로 된 대화를 나눌 수 있습니다. 그때까지는 제가 차례를 지키며 듣고 있을게요.",
         "네, 듣고 있습니다. 계속 말씀해 주세요.",
         "그렇군요. 조금 더 들려주시겠어요?"},
    };
    static const Phrases en{
        "No AI service is configured at the moment, so I can only say what was written for me.",
        "You said: \"",
        "\".",
        "Thank you for talking with me. Goodbye.",
        {"Hello, it is nice to meet you. What shall we talk about?",
         "Set OPENAI_API_KEY, and we can have a real conversation. Until then I take my turns and listen.",
         "Yes, I am listening. Please go on.",
         "I see. Would you like to tell me more?"},
    };
    return korean ? ko : en;
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

/// Whether `word` stands in `text` on its own ("bye", not "byelaw").
bool has_word(std::string_view text, std::string_view word)
{
    for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const std::size_t end = at + word.size();
        if ((at == 0 || !is_letter(text[at - 1])) && (end == text.size() || !is_letter(text[end]))) return true;
    }
    return false;
}

bool is_goodbye(const std::string& said)
{
    if (cut(said, goodbye_characters_max).size() < said.size()) return false;
    const std::string lower = lower_case(said);
    for (const std::string_view word : {"bye", "goodbye", "see you", "farewell"})
        if (has_word(lower, word)) return true;
    // "안녕히" is only ever said in parting; "안녕" alone is also a greeting.
    for (const std::string_view part : {"안녕히", "잘 있어", "잘 가", "끊을게", "다음에 봐", "다음에 뵐", "바이바이"})
        if (lower.find(part) != std::string::npos) return true;
    return false;
}

/// A character whose own greeting says it need not be told to say it again.
bool says_it_itself(const Script& script)
{
    if (script.lines.empty()) return false;
    const std::string& greeting = script.lines.front();
    for (const std::string_view words : {"인공지능 서비스", "AI 서비스", "AI service"})
        if (greeting.find(words) != std::string::npos) return true;
    return false;
}

/// "(the conversation begins; speak first)": written for models, by nobody.
bool is_stage_direction(std::string_view text) { return text.starts_with('(') && text.ends_with(')'); }

/// What the user typed since the last answer; empty when there is nothing to read, as with speech.
std::string last_user_text(const std::vector<ChatMessage>& messages)
{
    for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
        if (message->role == "assistant") break;
        if (message->role == "user" && !is_stage_direction(message->text)) return one_line(message->text, message->text.size());
    }
    return {};
}

/// The greeting comes once; the other lines come round again.
const std::string& line_for_turn(const std::vector<std::string>& lines, std::size_t turn)
{
    if (turn < lines.size()) return lines[turn];
    return lines[1 + (turn - 1) % (lines.size() - 1)];
}

void append_sentence(std::string& text, std::string_view sentence)
{
    if (!text.empty()) text += ' ';
    text += sentence;
}

}  // namespace

std::string scripted_answer(const Script& script, const std::vector<ChatMessage>& messages)
{
    const Phrases& generic = phrases(script.language.starts_with("ko"));
    const auto is_answer = [](const ChatMessage& message) { return message.role == "assistant"; };
    const auto turn = static_cast<std::size_t>(std::ranges::count_if(messages, is_answer));
    const std::string said = last_user_text(messages);
    if (is_goodbye(said)) return script.closing_line.empty() ? std::string(generic.closing_line) : script.closing_line;

    std::string text;
    if (!said.empty()) {
        const std::string_view quoted = cut(said, quoted_characters_max);
        text.append(generic.quote_before).append(quoted).append(quoted.size() < said.size() ? "…" : "").append(generic.quote_after);
    }
    const auto has_notice = [&](const ChatMessage& message) {
        return is_answer(message) && message.text.find(generic.notice) != std::string::npos;
    };
    const bool noticed = says_it_itself(script) || std::ranges::any_of(messages, has_notice);
    if (!noticed && (turn > 0 || !said.empty())) append_sentence(text, generic.notice);
    // One line cannot come round again without repeating the greeting.
    const bool own_line = turn < script.lines.size() || script.lines.size() > 1;
    append_sentence(text, line_for_turn(own_line ? script.lines : generic.lines, turn));
    return text;
}

Task<ChatResult> ScriptedLlm::chat(ChatRequest request, ChatSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const Script generic;
    const std::string text = scripted_answer(request.script ? *request.script : generic, request.messages);
    for (std::string_view rest = text; !rest.empty();) {
        if (stop.stop_requested()) co_return Error{Code::cancelled, "The answer was stopped."};
        const std::size_t space = rest.find(' ');
        const std::string_view word = rest.substr(0, space == std::string_view::npos ? space : space + 1);
        sink.text(word);
        rest.remove_prefix(word.size());
        // Others have their turn between words, so that a cancellation can arrive.
        co_await asio::post(executor, asio::use_awaitable);
    }
    ChatResult result;
    result.finish_reason = "stop";
    co_return result;
}

}  // namespace repartee::providers
