#pragma once
#include "http_endpoint.hpp"
#include "repartee/providers/stop_after.hpp"

#include <memory>

namespace repartee::providers {

/// `POST {url}/audio/transcriptions` of OpenAI and the servers that imitate it (whisper.cpp, speaches, vLLM …).
class OpenAiStt final : public SpeechToText {
public:
    static Result<std::unique_ptr<SpeechToText>> create(const SttSettings& settings, const Resources& resources);

    Task<Transcript> transcribe(TranscribeRequest request, TextSink delta, Stop stop) override;
    std::string_view provider_name() const override { return "openai"; }

private:
    /// A recording as the service gets it.
    struct Upload {
        std::string bytes;
        audio::Container container = audio::Container::wav;
    };

    OpenAiStt(HttpEndpoint endpoint, SttSettings settings, const Resources& resources);
    Task<Upload> prepare(AudioClip audio, Stop stop);
    Task<Transcript> read_answer(net::HttpAnswer& answer, TextSink delta, StopAfter& stop);
    Task<Transcript> read_events(net::HttpAnswer& answer, std::string beginning, TextSink delta, StopAfter& stop);
    Result<Transcript> read_whole(std::string_view body, std::string_view content_type) const;
    Result<Transcript> refused(const Refusal& refusal, const Error& error) const;

    HttpEndpoint endpoint_;
    SttSettings settings_;
    AudioDecoder* decoder_;
};

}  // namespace repartee::providers
