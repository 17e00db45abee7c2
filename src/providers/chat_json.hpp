#pragma once
#include "repartee/providers/messages.hpp"
#include "repartee/providers/think_filter.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// What goes to chat services and what comes back, as JSON: Chat Completions of OpenAI and its imitators, and Ollama's /api/chat. Pure.
namespace repartee::providers {

/// What a section of the configuration says of every request.
struct ChatOptions {
    std::string model;
    std::string tokens_field = "max_tokens";
    int output_tokens_max = 0;   ///< 0: not sent
    double temperature = -1;     ///< below 0: not sent
    json::object extra;          ///< members put into every request; `model`, `messages` and `stream` in it are not
    bool include_usage = true;   ///< OpenAI's stream_options, which some imitators refuse
    std::string think = "auto";  ///< Ollama: auto, on, off
    std::string keep_alive;      ///< Ollama
    int context_tokens = 0;      ///< Ollama; 0: not sent
};

json::object openai_chat_body(const ChatRequest& request, const ChatOptions& options);
json::object ollama_chat_body(const ChatRequest& request, const ChatOptions& options);

/// What of an answer may be handed on now, in order: the text first, then the calls.
struct ChatDelta {
    std::string text;
    std::vector<ToolCall> calls;
    bool empty() const { return text.empty() && calls.empty(); }
};

/// Puts an answer together from the pieces a service streams. Once `ended()` is true the service has said all.
class ChatReader {
public:
    /// `who` begins the messages of errors: "The language model service example.com".
    ChatReader(std::string who, std::size_t reply_bytes_max) : who_(std::move(who)), reply_bytes_max_(reply_bytes_max) {}

    /// The data of one event of a Chat Completions stream, or a whole answer that was not streamed. Code::provider_failed: broken JSON, an error
    /// amid the answer; Code::too_large beyond `reply_bytes_max`.
    Result<ChatDelta> read_openai(std::string_view data);
    /// One line of Ollama's answer.
    Result<ChatDelta> read_ollama(std::string_view line);
    bool ended() const { return ended_; }
    /// It has come to its end, whatever may still follow (the usage).
    bool finished() const { return finished_ || ended_; }

    /// The end of the stream: what was held back. Code::closed when the answer was cut, Code::provider_failed when there was none.
    Result<ChatDelta> finish();
    const ChatResult& result() const { return result_; }

private:
    struct PartialCall {
        std::optional<std::int64_t> index;
        ToolCall call;
        bool has_id = false, given = false;
    };

    Result<json::object> parse(std::string_view data, std::string_view what);
    Result<void> count(std::size_t bytes);
    Result<void> take_openai_choice(const json::object& choice, ChatDelta& delta);
    Result<void> take_text(const json::object& message, ChatDelta& delta);
    Result<void> take_call(const json::object& call);
    PartialCall& partial_call(const json::object& call, bool whole_arguments);
    void give_calls(ChatDelta& delta);

    std::string who_;
    std::size_t reply_bytes_max_;
    std::size_t reply_bytes_ = 0, pieces_ = 0;
    ThinkFilter think_;
    std::vector<PartialCall> calls_;
    ChatResult result_;
    bool ended_ = false, finished_ = false, anything_came_ = false;
};

}  // namespace repartee::providers
