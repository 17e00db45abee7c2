#pragma once
#include "http_endpoint.hpp"
#include "repartee/providers/gate.hpp"

#include <memory>
#include <set>

namespace repartee::providers {

/// `POST {url}/audio/speech` of OpenAI and the many servers that imitate it, read as it comes; long texts in several requests.
class OpenAiTts final : public TextToSpeech {
public:
    static Result<std::unique_ptr<TextToSpeech>> create(const TtsSettings& settings, const Resources& resources);

    Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "openai"; }

private:
    /// One text in one voice, as the service is asked for it.
    struct Utterance {
        std::string model, voice, instructions;
        double speed = 1.0;
    };

    OpenAiTts(HttpEndpoint endpoint, TtsSettings settings, const Resources& resources);
    Utterance utterance(const SpeechRequest& request);
    json::object body(const Utterance& utterance, std::string_view text) const;
    Task<net::HttpAnswer> ask(Utterance& utterance, const std::string& text, Stop stop);
    bool refuses_voice(const Refusal& refusal, const std::string& voice) const;

    HttpEndpoint endpoint_;
    TtsSettings settings_;
    AudioDecoder* decoder_;
    std::shared_ptr<Gate> gate_;            ///< may be null
    std::set<std::string> unknown_voices_;  ///< that the service has refused
};

/// The voice to ask `model` for: `wanted` in lower case, or `fallback` when the model is known not to have it. Pure.
std::string choose_voice(std::string_view model, std::string_view wanted, std::string_view fallback);

}  // namespace repartee::providers
