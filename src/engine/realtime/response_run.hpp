#pragma once
#include "audio_codec.hpp"
#include "conversation_items.hpp"
#include "repartee/base/token_estimate.hpp"
#include "repartee/realtime/response_config.hpp"
#include "usage.hpp"
#include "utf8_stream.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace repartee::engine {

/// One response from response.created to response.done: turns what a brain says into events in the service's order. An output item begins
/// with its first delta.
class ResponseRun {
public:
    struct Limits {
        std::int64_t output_tokens_max = 0;    ///< what "inf" means
        std::size_t item_samples_max = 0;      ///< kept of an item's audio
    };
    /// `conversation` (null out of band) and `events` outlive the run.
    ResponseRun(realtime::ResponseConfig config, Tokens input, std::string conversation_id, ConversationItems* conversation, Limits limits,
                std::vector<std::string>& events);

    const std::string& id() const { return id_; }
    const realtime::ResponseConfig& config() const { return config_; }
    bool has_spoken() const { return audio_samples_ > 0; }
    std::int64_t audio_ms() const { return audio_samples_ / samples_per_ms; }

    /// response.created.
    void begin();
    // Both cut what goes beyond max_output_tokens and return false then: the response is to end as incomplete.
    bool add_text(std::string_view delta);
    bool add_audio(std::span<const std::int16_t> samples);
    bool add_function_call(std::string_view name, std::string_view arguments);
    /// Text tokens as the model counted them, for `usage`; limits go by the estimate.
    void set_text_tokens(std::int64_t input, std::int64_t output);

    /// The done events and response.done. `status_details` is null for "completed".
    void end(std::string_view status, json::value status_details);

private:
    struct Message {
        ItemPtr item;
        json::value previous_item_id;
        std::int64_t output_index;
        OutputEncoder encoder;
        Utf8Stream text{};
        std::vector<std::byte> bytes{};  ///< encoded, not yet sent
    };

    Message& message();
    void close_message(std::string_view status);
    void send_audio(Message& m);
    /// Announces it; returns its previous_item_id.
    json::value begin_output_item(const ItemPtr& item);
    void end_output_item(const ItemPtr& item, const json::value& previous_item_id, std::int64_t output_index);
    void send(std::string_view type, json::object members);
    json::object ids(const Message& m) const;
    Tokens output_tokens() const;
    json::object usage() const;
    const char* text_key() const { return config_.audio_output ? "transcript" : "text"; }
    json::object to_json(std::string_view status, json::value status_details, bool done) const;

    realtime::ResponseConfig config_;
    Tokens input_;
    std::string conversation_id_;
    ConversationItems* conversation_;
    Limits limits_;
    std::int64_t tokens_max_;
    std::vector<std::string>& events_;
    std::string id_;

    std::vector<ItemPtr> output_;
    std::optional<Message> message_;  ///< the one that is being spoken or written
    TokenCounter text_;
    std::optional<std::int64_t> told_output_;
    std::int64_t audio_samples_ = 0;
};

}  // namespace repartee::engine
