#include "context.hpp"

#include "audio_tokens.hpp"
#include "repartee/base/token_estimate.hpp"
#include "repartee/realtime/item.hpp"

namespace repartee::engine {
namespace {

std::string_view text_member(const json::object& o, std::string_view key)
{
    return json::find_string(o, key).value_or(std::string_view{});
}

bool is_own_message(const Item& item) { return item.role() == "assistant" && !item.marks.empty(); }

std::optional<ContextMessage> as_message(const Item& item)
{
    if (item.type() == "function_call") {
        const auto text = [&](std::string_view key) { return std::string(text_member(item.body, key)); };
        ContextMessage message{.role = "assistant", .text = {}, .item_id = item.id};
        message.call = FunctionCall{text("call_id"), text("name"), text("arguments")};
        return message;
    }
    if (item.type() == "function_call_output") {
        ContextMessage message{.role = "tool", .text = std::string(text_member(item.body, "output")), .item_id = item.id};
        message.call_id = text_member(item.body, "call_id");
        return message;
    }
    if (item.type() != "message") return std::nullopt;

    ContextMessage message{.role = std::string(item.role()),
                           .text = is_own_message(item) ? item.heard_text() : realtime::item_text(item.body),
                           .spoken = item.recording.has_value(),
                           .audio_ms = item.audio_ms(),
                           .item_id = item.id,
                           .silence = item.silence};
    const bool says_nothing = message.text.empty() && !(message.spoken && message.role == "user");
    if (says_nothing) return std::nullopt;
    return message;
}

}  // namespace

std::vector<ContextMessage> context_messages(std::span<const ItemPtr> items)
{
    std::vector<ContextMessage> messages;
    messages.reserve(items.size());
    for (const ItemPtr& item : items)
        if (auto message = as_message(*item)) messages.push_back(std::move(*message));
    return messages;
}

Tokens input_tokens(std::span<const ItemPtr> items)
{
    Tokens tokens;
    for (const ItemPtr& item : items) {
        const bool user = item->role() == "user";
        if (item->recording) tokens.audio += user ? user_audio_tokens(item->audio_ms()) : assistant_audio_tokens(item->audio_ms());
        // The model hears a user's audio: its transcript is made by another model, and not read.
        if (item->recording && user) {
            for (std::size_t i = 0; const json::object* part = item->part(i); ++i)
                tokens.text += estimated_tokens(text_member(*part, "text"));
            continue;
        }
        const auto message = as_message(*item);
        if (!message) continue;
        tokens.text += estimated_tokens(message->text);
        if (message->call) tokens.text += estimated_tokens(message->call->name) + estimated_tokens(message->call->arguments);
    }
    return tokens;
}

}  // namespace repartee::engine
