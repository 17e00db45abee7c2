#pragma once
#include "http_endpoint.hpp"
#include "repartee/providers/stop_after.hpp"

namespace repartee::providers {

struct SpeechAnswerRules {
    int raw_hz = 24'000;             ///< of sound without a header
    std::int64_t samples_max = 0;    ///< at 24 kHz; more is an error of the service
};

/// The sound of an answer, handed on as it comes: PCM, WAV, or a file of another kind, which is decoded when it is whole. The number of samples.
Task<std::int64_t> play_answer(net::HttpAnswer& answer, const HttpEndpoint& endpoint, AudioDecoder& decoder, SpeechAnswerRules rules, SpeechSink sink,
                               StopAfter& stop);

}  // namespace repartee::providers
