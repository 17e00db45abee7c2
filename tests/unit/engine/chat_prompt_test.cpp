#include "repartee/engine/chat_prompt.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using engine::chat_messages;
using engine::ContextMessage;

namespace {

constexpr std::int64_t roomy = 100'000;

ContextMessage said(std::string role, std::string text)
{
    ContextMessage message;
    message.role = std::move(role);
    message.text = std::move(text);
    return message;
}

ContextMessage call(std::string id, std::string name, std::string arguments = "{}")
{
    ContextMessage message;
    message.role = "assistant";
    message.call = engine::FunctionCall{std::move(id), std::move(name), std::move(arguments)};
    return message;
}

ContextMessage output(std::string id, std::string text)
{
    ContextMessage message = said("tool", std::move(text));
    message.call_id = std::move(id);
    return message;
}

/// "role:text", calls as "+name(arguments)#id", outputs as "tool#id:text".
std::string written(const std::vector<providers::ChatMessage>& messages)
{
    std::string all;
    for (const auto& message : messages) {
        if (!all.empty()) all += " | ";
        all += message.role;
        if (!message.tool_call_id.empty()) all += "#" + message.tool_call_id + "(" + message.tool_name + ")";
        all += ":" + message.text;
        for (const auto& made : message.tool_calls) all += "+" + made.name + made.arguments + "#" + made.id;
    }
    return all;
}

}  // namespace

TEST_CASE("A conversation becomes a prompt", "[chat_prompt]")
{
    struct Case {
        std::vector<ContextMessage> context;
        std::string prompt;
    };
    const auto c = GENERATE(values<Case>({
        {{said("user", "Hi."), said("assistant", "Hello."), said("user", "How are you?")}, "user:Hi. | assistant:Hello. | user:How are you?"},
        {{said("user", "One."), said("user", "Two.")}, "user:One. | user:Two."},
        {{said("user", "Hi."), said("user", ""), said("assistant", "Yes?")}, "user:Hi. | assistant:Yes?"},
        {{said("system", "Be kind."), said("user", "Hi.")}, "system:Be kind. | user:Hi."},
        // Calls and their outputs.
        {{said("user", "Light!"), said("assistant", "Wait."), call("c1", "light"), output("c1", "on")},
         "user:Light! | assistant:Wait.+light{}#c1 | tool#c1(light):on"},
        {{said("user", "Light!"), call("c1", "light"), call("c2", "door", R"({"open":true})"), output("c2", "open"), output("c1", "on")},
         R"(user:Light! | assistant:+light{}#c1+door{"open":true}#c2 | tool#c1(light):on | tool#c2(door):open)"},
        {{said("user", "Light!"), call("c1", "light"), output("c1", "on"), call("c2", "door"), output("c2", "open"), said("assistant", "Done.")},
         "user:Light! | assistant:+light{}#c1 | tool#c1(light):on | assistant:+door{}#c2 | tool#c2(door):open | assistant:Done."},
        {{said("user", "Light!"), call("c1", "light", ""), said("user", "Well?")},
         "user:Light! | assistant:+light{}#c1 | tool#c1(light): | user:Well?"},
        {{said("user", "Light!"), call("c1", "light"), said("user", "Well?"), output("c1", "on")},
         "user:Light! | assistant:+light{}#c1 | tool#c1(light):on | user:Well?"},
        {{output("c9", "lost"), said("user", "Hi.")}, "user:Hi."},
        {{call("c1", "f"), output("c1", "first"), said("user", "Again."), call("c1", "f"), output("c1", "second")},
         "assistant:+f{}#c1 | tool#c1(f):first | user:Again. | assistant:+f{}#c1 | tool#c1(f):second"},
        // Nobody has said anything yet.
        {{}, "user:(The conversation begins; speak first.)"},
        {{said("system", "Be kind.")}, "system:Be kind. | user:(The conversation begins; speak first.)"},
        {{said("assistant", "Hello.")}, "assistant:Hello. | user:(The conversation begins; speak first.)"},
        {{said("system", "Be kind."), call("c1", "f"), output("c1", "x")},
         "system:Be kind. | user:(The conversation begins; speak first.) | assistant:+f{}#c1 | tool#c1(f):x"},
    }));
    CHECK(written(chat_messages("", c.context, roomy)) == c.prompt);
    CHECK(written(chat_messages("Be brief.", c.context, roomy)) == "system:Be brief. | " + c.prompt);
}

TEST_CASE("What nobody said is told in the language of the instructions", "[chat_prompt]")
{
    ContextMessage silence = said("user", "");
    silence.silence = true;
    CHECK(written(chat_messages("", {silence}, roomy)) == "user:(The user has said nothing for a while.)");
    CHECK(written(chat_messages("짧게 답하세요.", {silence}, roomy)).ends_with("user:(상대가 한동안 아무 말도 하지 않습니다.)"));
    CHECK(written(chat_messages("짧게 답하세요.", {}, roomy)).ends_with("user:(대화가 시작됩니다. 먼저 말을 건네세요.)"));
    CHECK(written(chat_messages("Café – “brief”.", {}, roomy)).ends_with("user:(The conversation begins; speak first.)"));
}

TEST_CASE("The oldest turns go first, whole", "[chat_prompt]")
{
    // Each message of ten letters is 3 tokens, and 4 around it.
    const std::vector<ContextMessage> context{said("assistant", "greetings."), said("user", "one one on"),   said("assistant", "one answer"),
                                              said("user", "two two tw"),      said("user", "more of it"),   call("c1", "f"),
                                              output("c1", "output two"),      said("assistant", "two answer"), said("user", "three ....")};
    struct Case {
        std::int64_t tokens_max;
        std::string prompt;
    };
    const std::string turn_three = "user:three ....";
    const std::string turn_two = "user:two two tw | user:more of it | assistant:+f{}#c1 | tool#c1(f):output two | assistant:two answer | ";
    const std::string turn_one = "user:one one on | assistant:one answer | ";
    const auto c = GENERATE_COPY(values<Case>({{66, "assistant:greetings. | " + turn_one + turn_two + turn_three},
                                               {65, turn_one + turn_two + turn_three},
                                               {59, turn_one + turn_two + turn_three},
                                               {58, turn_two + turn_three},
                                               {45, turn_two + turn_three},
                                               {44, turn_three},
                                               {0, turn_three},
                                               {-5, turn_three}}));
    CHECK(written(chat_messages("", context, c.tokens_max)) == c.prompt);
    CHECK(written(chat_messages("Be brief..", context, c.tokens_max + 7)) == "system:Be brief.. | " + c.prompt);
}

TEST_CASE("A last turn that is too long for itself keeps its question and its newest message", "[chat_prompt]")
{
    std::vector<ContextMessage> context{said("user", "Look it up.")};
    for (int i = 0; i < 20; ++i) {
        const std::string id = "c" + std::to_string(i);
        context.push_back(call(id, "look"));
        context.push_back(output(id, std::string(400, 'x')));
    }
    const auto messages = chat_messages("", context, 300);
    REQUIRE(messages.size() == 5);
    CHECK(messages[0].text == "Look it up.");
    CHECK(messages[1].tool_calls.at(0).id == "c18");
    CHECK(messages[2].tool_call_id == "c18");
    CHECK(messages[4].tool_call_id == "c19");
    CHECK(chat_messages("", context, 1).size() == 3);
}
