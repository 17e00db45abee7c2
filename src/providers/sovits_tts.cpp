#include "sovits_tts.hpp"

#include "repartee/base/log.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/stop_after.hpp"
#include "repartee/providers/text.hpp"
#include "speech_answer.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::string_view default_url = "http://127.0.0.1:9880";
constexpr std::string_view default_path = "tts";
constexpr std::size_t text_characters_max = 4'096;

/// The service's word for a language; it finds out by itself what it does not know by this.
std::string service_language(std::string_view language)
{
    const std::string lower = lower_case(language);
    for (const std::string_view known : {"ko", "en", "ja", "zh", "yue"})
        if (lower == known || lower.starts_with(fmt::format("{}-", known))) return std::string(known);
    return "auto";
}

}  // namespace

Result<std::unique_ptr<TextToSpeech>> SovitsTts::create(const TtsSettings& settings, const Resources& resources)
{
    if (!settings.voices || settings.voices->all().empty())
        return Error{Code::not_configured, "GPT-SoVITS speaks with voices of your own. Name them in the file that tts.voices_file is the path of, "
                                           "each with ref_audio_path and prompt_lang."};
    auto endpoint = HttpEndpoint::create("speech", settings, default_url, default_path, resources, resources.metrics.tts);
    if (!endpoint) return endpoint.error();
    return std::unique_ptr<TextToSpeech>(new SovitsTts(std::move(*endpoint), settings, resources));
}

SovitsTts::SovitsTts(HttpEndpoint endpoint, TtsSettings settings, const Resources& resources)
    : endpoint_(std::move(endpoint)), settings_(std::move(settings)), decoder_(&resources.decoder), gate_(settings_.gate)
{
    if (!gate_) gate_ = std::make_shared<Gate>(static_cast<std::size_t>(std::max(1, settings_.requests_at_once)));
}

Result<const Voice*> SovitsTts::find_voice(const std::string& wanted) const
{
    const Voice* voice = settings_.voices->find(wanted);
    if (!voice) voice = settings_.voices->find(settings_.fallback_voice);
    if (!voice) voice = &settings_.voices->all().front();
    if (voice->ref_audio_path.empty() || voice->prompt_lang.empty())
        return Error{Code::not_configured, fmt::format("GPT-SoVITS cannot speak as {}: it needs ref_audio_path and prompt_lang. Add them to the "
                                                       "file of tts.voices_file.",
                                                       quoted(voice->id))};
    if (lower_case(voice->id) != lower_case(wanted))
        log::warn("tts.voice_fallback", {{"section", settings_.section}, {"voice", wanted}, {"instead", voice->id}});
    return voice;
}

json::object SovitsTts::body(const SpeechRequest& request, const Voice& voice, const std::string& text) const
{
    json::object body;
    body["text"] = text;
    const std::string& spoken = request.language.empty() ? voice.language : request.language;
    body["text_lang"] = voice.text_lang.empty() ? service_language(spoken) : voice.text_lang;
    body["ref_audio_path"] = voice.ref_audio_path;
    body["prompt_lang"] = voice.prompt_lang;
    if (!voice.prompt_text.empty()) body["prompt_text"] = voice.prompt_text;
    if (!voice.aux_ref_audio_paths.empty()) {
        json::array paths;
        for (const std::string& path : voice.aux_ref_audio_paths) paths.emplace_back(path);
        body["aux_ref_audio_paths"] = std::move(paths);
    }
    body["text_split_method"] = settings_.sovits_split_method;
    body["batch_size"] = 1;
    body["media_type"] = settings_.sovits_media_type;
    body["streaming_mode"] = settings_.sovits_streaming_mode;
    if (const double speed = std::clamp(request.speed * voice.speed, 0.25, 4.0); speed != 1.0) body["speed_factor"] = speed;
    return body;
}

Task<SpeechUsage> SovitsTts::speak(SpeechRequest request, SpeechSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const std::string text = one_line(request.text, text_characters_max);
    SpeechUsage usage;
    if (text.empty()) co_return usage;
    const auto voice = find_voice(request.voice);
    if (!voice) co_return voice.error();

    StopAfter until(executor, milliseconds(0), stop);
    // It works on one request at a time, and lets the others wait without a sign.
    auto pass = co_await gate_->enter(until.token(), settings_.times.first_byte);
    if (!pass) co_return pass.error();
    HttpEndpoint::MakeBody make_body = json_body(body(request, **voice, text));
    auto answer = co_await endpoint_.post("application/json", std::move(make_body), until.token());
    if (!answer) co_return answer.error();
    const SpeechAnswerRules rules(settings_);
    const auto samples = co_await play_answer(*answer, endpoint_, *decoder_, rules, sink, until);
    if (!samples) co_return samples.error();
    usage.characters = static_cast<std::int64_t>(utf8_characters(text));
    co_return usage;
}

}  // namespace repartee::providers
