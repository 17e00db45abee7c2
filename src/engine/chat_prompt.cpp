#include "repartee/engine/chat_prompt.hpp"

#include "repartee/base/token_estimate.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace repartee::engine {
namespace {

using providers::ChatMessage;
using providers::ToolCall;

// What services add to every message of a prompt.
constexpr std::int64_t tokens_around_a_message = 4;

/// Stage directions to the model, in round brackets: nobody said them.
struct Directions {
    std::string_view begin, silence;
};

Directions directions(std::string_view instructions)
{
    // Hangul syllables are EA B0 80 … ED 9E A3.
    const bool korean = std::any_of(instructions.begin(), instructions.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0xEA && byte <= 0xED;
    });
    if (korean) return {"(대화가 시작됩니다. 먼저 말을 건네세요.)", "(상대가 한동안 아무 말도 하지 않습니다.)"};
    return {"(The conversation begins; speak first.)", "(The user has said nothing for a while.)"};
}

std::int64_t tokens_of(const ChatMessage& message)
{
    std::int64_t tokens = tokens_around_a_message + estimated_tokens(message.text);
    for (const ToolCall& call : message.tool_calls) tokens += tokens_around_a_message + estimated_tokens(call.name) + estimated_tokens(call.arguments);
    return tokens;
}

class Prompt {
public:
    Prompt(const std::vector<ContextMessage>& context, std::string_view silence) : context_(context), silence_(silence)
    {
        for (std::size_t i = 0; i < context_.size(); ++i) add(i);
    }

    std::vector<ChatMessage> messages;

private:
    void add(std::size_t i)
    {
        const ContextMessage& given = context_[i];
        if (given.call) return add_call(i);
        if (given.role == "tool") return;  // stands behind its call already
        ChatMessage message;
        message.role = given.role;
        message.text = given.silence && given.text.empty() ? std::string(silence_) : given.text;
        if (!message.text.empty()) messages.push_back(std::move(message));
    }

    void add_call(std::size_t i)
    {
        if (calls_end_ > i) return;  // came with the one before it
        if (messages.empty() || messages.back().role != "assistant" || !messages.back().tool_calls.empty())
            messages.push_back(ChatMessage{.role = "assistant", .text = {}});
        const std::size_t caller = messages.size() - 1;
        for (calls_end_ = i; calls_end_ < context_.size() && context_[calls_end_].call; ++calls_end_) {
            const FunctionCall& call = *context_[calls_end_].call;
            messages[caller].tool_calls.push_back(ToolCall{call.call_id, call.name, call.arguments.empty() ? "{}" : call.arguments});
            ChatMessage output{.role = "tool", .text = output_of(call.call_id, calls_end_)};
            output.tool_call_id = call.call_id;
            output.tool_name = call.name;
            messages.push_back(std::move(output));
        }
    }

    std::string output_of(std::string_view call_id, std::size_t call_at) const
    {
        for (std::size_t i = call_at + 1; i < context_.size(); ++i) {
            if (context_[i].call && context_[i].call->call_id == call_id) break;  // a later call of the same name has its own
            if (context_[i].role == "tool" && context_[i].call_id == call_id) return context_[i].text;
        }
        return {};
    }

    const std::vector<ContextMessage>& context_;
    std::string_view silence_;
    std::size_t calls_end_ = 0;
};

/// A message that stays or goes: calls and their outputs as one.
struct Unit {
    std::size_t begin = 0, end = 0;
    std::int64_t tokens = 0;
    bool user = false, keep = true;
};

std::vector<Unit> units_of(const std::vector<ChatMessage>& messages)
{
    std::vector<Unit> units;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (messages[i].role != "tool") units.push_back({.begin = i, .user = messages[i].role == "user"});
        units.back().end = i + 1;
        units.back().tokens += tokens_of(messages[i]);
    }
    return units;
}

/// Marks the oldest turns as gone until the rest fits: each from a message of the user to the end of its answer. Of the last turn what the user said
/// and the newest message stay.
void forget_oldest(std::vector<Unit>& units, std::int64_t tokens_max)
{
    std::int64_t tokens = 0;
    for (const Unit& unit : units) tokens += unit.tokens;
    const auto drop = [&](Unit& unit) {
        unit.keep = false;
        tokens -= unit.tokens;
    };
    const auto begins_turn = [&](std::size_t i) { return units[i].user && (i == 0 || !units[i - 1].user); };
    std::size_t last_turn = 0;
    for (std::size_t i = 0; i < units.size(); ++i)
        if (begins_turn(i)) last_turn = i;

    for (std::size_t i = 0; i < last_turn && tokens > tokens_max;) {
        do drop(units[i++]);
        while (i < last_turn && !begins_turn(i));
    }
    for (std::size_t i = last_turn; i + 1 < units.size() && tokens > tokens_max; ++i)
        if (!units[i].user) drop(units[i]);
}

void add_opening(std::vector<ChatMessage>& messages, std::string_view words)
{
    const auto is_user = [](const ChatMessage& message) { return message.role == "user"; };
    if (std::any_of(messages.begin(), messages.end(), is_user)) return;
    auto place = messages.end();
    // The outputs of functions are to be answered, so they stay last.
    if (!messages.empty() && messages.back().role == "tool")
        place = std::find_if(messages.begin(), messages.end(), [](const ChatMessage& message) { return message.role != "system"; });
    messages.insert(place, ChatMessage{.role = "user", .text = std::string(words)});
}

}  // namespace

std::vector<ChatMessage> chat_messages(const std::string& instructions, const std::vector<ContextMessage>& context, std::int64_t tokens_max)
{
    const Directions say = directions(instructions);
    std::vector<ChatMessage> told = Prompt(context, say.silence).messages;
    add_opening(told, say.begin);

    std::vector<ChatMessage> messages;
    if (!instructions.empty()) messages.push_back(ChatMessage{.role = "system", .text = instructions});
    for (const ChatMessage& message : messages) tokens_max -= tokens_of(message);
    std::vector<Unit> units = units_of(told);
    forget_oldest(units, tokens_max);
    for (const Unit& unit : units) {
        if (!unit.keep) continue;
        const auto at = [&](std::size_t index) { return std::make_move_iterator(told.begin() + static_cast<std::ptrdiff_t>(index)); };
        messages.insert(messages.end(), at(unit.begin), at(unit.end));
    }
    return messages;
}

}  // namespace repartee::engine
