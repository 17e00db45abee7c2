#pragma once
#include "repartee/providers/roles.hpp"

namespace repartee::providers {

/// No recogniser: every call ends with Code::not_configured and names the setting.
class NoStt final : public SpeechToText {
public:
    Task<Transcript> transcribe(TranscribeRequest request, TextSink delta, Stop stop) override;
    std::string_view provider_name() const override { return "none"; }
};

}  // namespace repartee::providers
