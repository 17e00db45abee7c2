#pragma once
#include "repartee/audio/reply_encoder.hpp"
#include "repartee/base/metrics.hpp"
#include "repartee/characters/character.hpp"
#include "repartee/net/http_message.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/voice/memory.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

/// System 3: one recording in, one spoken answer out.
namespace repartee::voice {

struct VoiceChatSettings {
    std::string instructions;        ///< the agent, unless a character is configured; empty: a helpful service agent of the language
    std::string language = "ko";
    std::string voice = "nova";
    std::string fallback_line;       ///< spoken when nothing was understood; empty: one of the language
    std::string classify = "auto";   ///< auto (by the model when it is one), words, model, off
    std::chrono::milliseconds classify_limit{1'500};  ///< beyond the first sound it is not waited for: then by words
    std::size_t upload_bytes_max = 25 << 20;
    int bitrate_kbps = 64;
    std::size_t unsent_bytes_max = 256 << 10;  ///< encoded and not yet taken by the client: then the voice waits
    std::size_t answer_bytes_max = 32 << 20;   ///< of an answer that is handed out as a whole (wait_for_text, JSON)
    std::chrono::milliseconds limit{120'000};  ///< of the whole request
};

struct VoiceChatRequest {
    providers::AudioClip audio;
    std::string session_id;
    std::string language, voice;     ///< empty: as configured
    audio::ReplyFormat format = audio::ReplyFormat::mp3;
    std::shared_ptr<const characters::Character> character;  ///< may be null
    bool wait_for_text = false;      ///< ?wait=text: begin() ends when the whole answer is known (or answer_bytes_max of it are made)
};

struct VoiceChatTexts {
    std::string heard, said, request_class;  ///< class: general_question, complaint, order_status, other
    bool said_all = false;                   ///< `said` is the whole answer
};

struct VoiceChatContext {
    providers::Roles roles;
    Memory& memory;
    Metrics& metrics;
};

/// One request under way. Destroying it stops all of it.
class VoiceChat {
public:
    struct State;  ///< of the implementation

    /// Ends when the first bytes of the answer are there, or when it is known that none will come: see failure().
    static awaitable<VoiceChat> begin(VoiceChatRequest request, VoiceChatSettings settings, VoiceChatContext context, std::stop_token gone);
    VoiceChat(VoiceChat&&) noexcept;
    VoiceChat& operator=(VoiceChat&&) = delete;
    ~VoiceChat();

    /// Why there is no answer: Code::invalid_audio, or the provider's error. Nothing once a byte of it was made.
    std::optional<Error> failure() const;
    /// What is known so far, also of a request that failed.
    VoiceChatTexts texts() const;
    /// Hands the answer out as it is made; false: it broke off.
    awaitable<bool> pump(net::BodyWriter& to);
    /// All of it at once, for a JSON answer. Code::too_large, or the provider's error.
    struct Whole {
        VoiceChatTexts texts;
        std::string audio;
        std::int64_t duration_ms = 0;
    };
    Task<Whole> finish();

private:
    explicit VoiceChat(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

/// By its words, Korean and English: the embedded classifier, and what is said when the model is late. Pure.
std::string_view classify_by_words(std::string_view heard);
/// The model's word for it, however it wraps it; nullopt: none of the four. Pure.
std::optional<std::string_view> read_class(std::string_view model_answer);

}  // namespace repartee::voice
