#pragma once
#include "repartee/app/config.hpp"
#include "repartee/characters/character.hpp"
#include "repartee/providers/create.hpp"

#include <boost/asio/io_context.hpp>
#include <memory>
#include <vector>

namespace repartee::app {

/// The configured voices, spoken to from a program that waits for them.
class IntroductionVoice {
public:
    /// Code::not_configured when nobody would speak but a chime.
    static Result<std::unique_ptr<IntroductionVoice>> create(const Config& config);

    /// The character's introduction_text, 24 kHz.
    Result<std::vector<std::int16_t>> speak(const characters::Character& character);

private:
    IntroductionVoice(const Config& config, providers::RoleSettings chains);

    double speed_;
    providers::RoleSettings chains_;
    Metrics metrics_;
    asio::io_context context_{1};
    net::HttpClient http_client_;
    providers::AudioDecoder decoder_;
    std::shared_ptr<providers::TextToSpeech> tts_;
};

}  // namespace repartee::app
