#pragma once
#include "repartee/providers/roles.hpp"

namespace repartee::providers {

/// No recogniser: every call ends with Code::not_configured and names the setting.
class NoStt final : public SpeechToText {
public:
    Task<std::string> transcribe(std::vector<std::int16_t> samples, std::string language, Stop stop) override;
    std::string_view provider_name() const override { return "none"; }
};

}  // namespace repartee::providers
