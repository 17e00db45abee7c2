#pragma once
#include "http_endpoint.hpp"
#include "repartee/providers/gate.hpp"

#include <memory>

namespace repartee::providers {

/// `POST {url}/tts` of GPT-SoVITS (api_v2.py): voices made from a few seconds of somebody's speech, which the file of voices names.
class SovitsTts final : public TextToSpeech {
public:
    static Result<std::unique_ptr<TextToSpeech>> create(const TtsSettings& settings, const Resources& resources);

    Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop stop) override;
    std::string_view provider_name() const override { return "sovits"; }

private:
    SovitsTts(HttpEndpoint endpoint, TtsSettings settings, const Resources& resources);
    Result<const Voice*> find_voice(const std::string& wanted) const;
    json::object body(const SpeechRequest& request, const Voice& voice, const std::string& text) const;

    HttpEndpoint endpoint_;
    TtsSettings settings_;
    AudioDecoder* decoder_;
    std::shared_ptr<Gate> gate_;
};

}  // namespace repartee::providers
