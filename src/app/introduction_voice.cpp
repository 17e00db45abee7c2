#include "introduction_voice.hpp"

#include "casting.hpp"
#include "role_settings.hpp"

#include "repartee/providers/program.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <fmt/format.h>

namespace repartee::app {
namespace {

const char* environment(const char* name) { return std::getenv(name); }

/// The voices of [tts] alone, with the time of an introduction.
providers::RoleSettings voices_only(const Config& config, providers::RoleSettings chains)
{
    providers::SttSettings nobody_hears;
    nobody_hears.section = "stt";
    providers::LlmSettings nobody_thinks;
    nobody_thinks.section = "llm";
    chains.stt.assign(1, std::move(nobody_hears));
    chains.llm.assign(1, std::move(nobody_thinks));
    // The chime that the embedded voice falls back to is no introduction, and would stay for good.
    if (!providers::is_installed(config.local.espeak_program))
        std::erase_if(chains.tts, [](const providers::TtsSettings& settings) { return settings.provider == "embedded"; });
    for (providers::TtsSettings& settings : chains.tts) settings.times.total = std::chrono::milliseconds(config.introductions.limit_ms);
    return chains;
}

}  // namespace

IntroductionVoice::IntroductionVoice(const Config& config, providers::RoleSettings chains)
    : speed_(config.introductions.speed),
      chains_(std::move(chains)),
      http_client_(context_.get_executor(), http_client_settings(config, environment), metrics_),
      decoder_(decode_settings(config))
{
}

Result<std::unique_ptr<IntroductionVoice>> IntroductionVoice::create(const Config& config)
{
    auto chains = role_settings(config);
    if (!chains) return chains.error();
    providers::RoleSettings voices = voices_only(config, std::move(*chains));
    if (voices.tts.empty())
        return Error{Code::not_configured, fmt::format("The program \"{}\" is not installed. Install it (apt-get install espeak-ng), correct "
                                                       "local.espeak_program, or set tts.provider to \"openai\".",
                                                       config.local.espeak_program)};
    std::unique_ptr<IntroductionVoice> voice(new IntroductionVoice(config, std::move(voices)));
    auto roles = providers::create_roles(voice->chains_, {voice->http_client_, voice->decoder_, voice->metrics_});
    if (!roles) return roles.error();
    voice->tts_ = std::move(roles->tts);
    return voice;
}

Result<std::vector<std::int16_t>> IntroductionVoice::speak(const characters::Character& character)
{
    const engine::LocalRoles cast_as = cast(&character, {}, chains_);
    providers::SpeechRequest request;
    request.text = character.introduction_text;
    request.voice = cast_as.voice_id.empty() ? character.openai_voice : cast_as.voice_id;
    request.language = character.language;
    request.speed = speed_ * cast_as.speed;
    request.pitch = cast_as.pitch;
    request.choice = cast_as.tts_choice;

    std::vector<std::int16_t> samples;
    Result<providers::SpeechUsage> outcome = Error{Code::internal, "The voice ended unexpectedly. Try again."};
    const auto collect = [&](std::span<const std::int16_t> piece) { samples.insert(samples.end(), piece.begin(), piece.end()); };
    const auto on_end = [&](std::exception_ptr failure, Result<providers::SpeechUsage> result) {
        if (!failure) outcome = std::move(result);
        context_.stop();  // a connection may be kept open for the next one
    };
    context_.restart();
    asio::co_spawn(context_, tts_->speak(std::move(request), collect, {}), on_end);
    context_.run();
    if (!outcome) return outcome.error();
    if (samples.empty()) return Error{Code::provider_failed, "Nothing was spoken. Check the character's introduction_text."};
    return samples;
}

}  // namespace repartee::app
