#pragma once
#include "repartee/net/tls_context.hpp"
#include "repartee/net/url.hpp"
#include "repartee/providers/roles.hpp"

#include <chrono>

namespace repartee::providers {

struct OpenAiTtsSettings {
    std::string url = "https://api.openai.com/v1";  ///< "/audio/speech" is put behind it
    std::string api_key;                            ///< secret; empty: no Authorization header
    std::string model = "tts-1";
    std::string fallback_voice = "nova";            ///< for voices the model does not have
    std::string ca_file;
    std::chrono::milliseconds limit{60'000};        ///< of one request
};

/// `POST {url}/audio/speech` of OpenAI and the many servers that imitate it; long texts in several requests. Thread-safe.
/// A stopped call returns soon; its request is left to itself and ends within the limit.
class OpenAiTts final : public TextToSpeech {
public:
    /// Code::invalid_value for a bad URL, Code::not_configured when api.openai.com is asked without a key, Code::tls for a bad CA file.
    static Result<std::unique_ptr<OpenAiTts>> create(OpenAiTtsSettings settings);

    /// Errors: Code::provider_failed with the service's own words and the mend, Code::timeout, Code::cancelled, or the connection's.
    Task<> speak(SpeechRequest request, std::function<void(std::span<const std::int16_t>)> sink, Stop stop) override;
    std::string_view provider_name() const override { return "openai"; }

private:
    OpenAiTts(OpenAiTtsSettings settings, net::Url url, std::shared_ptr<const net::TlsContext> tls);
    std::string choose_voice_or_warn(const std::string& wanted);
    Task<std::vector<std::int16_t>> speak_piece(std::string text, std::string voice, double speed, Stop stop);
    Error refusal(int status, std::string_view body) const;

    OpenAiTtsSettings settings_;
    net::Url url_;
    std::shared_ptr<const net::TlsContext> tls_;  ///< shared with requests that were stopped and end on their own
};

/// The voice to ask `model` for: `wanted` in lower case, or `fallback` when the model is known not to have it. Pure.
std::string choose_voice(std::string_view model, std::string_view wanted, std::string_view fallback);

}  // namespace repartee::providers
