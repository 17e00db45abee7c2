#include "openai_tts.hpp"

#include "repartee/base/log.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/stop_after.hpp"
#include "repartee/providers/text.hpp"
#include "speech_answer.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

namespace repartee::providers {
namespace {

constexpr std::string_view default_url = "https://api.openai.com/v1";
constexpr std::string_view default_path = "audio/speech";
constexpr std::size_t input_characters_max = 4'096;  // the service's own limit
constexpr std::size_t instructions_characters_max = 4'096;
constexpr std::size_t text_characters_max = 10 * input_characters_max;
constexpr std::size_t unknown_voices_max = 64;

constexpr std::string_view tts1_voices[] = {"alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer"};

/// The configured voice of exactly this id.
const Voice* own_voice(const VoiceList* voices, const std::string& id)
{
    const Voice* voice = voices && !id.empty() ? voices->find(id) : nullptr;
    return voice && lower_case(voice->id) == lower_case(id) ? voice : nullptr;
}

}  // namespace

std::string choose_voice(std::string_view model, std::string_view wanted, std::string_view fallback)
{
    const std::string voice = lower_case(wanted);
    const bool is_tts1 = model.starts_with("tts-1");
    const bool missing = voice.empty() || (is_tts1 && std::ranges::find(tts1_voices, voice) == std::end(tts1_voices));
    return missing && !fallback.empty() ? std::string(fallback) : voice;
}

Result<std::unique_ptr<TextToSpeech>> OpenAiTts::create(const TtsSettings& settings, const Resources& resources)
{
    if (settings.response_format != "pcm" && settings.response_format != "wav")
        return Error{Code::invalid_value, settings.section + ".response_format must be pcm or wav.", settings.section + ".response_format"};
    auto endpoint = HttpEndpoint::create("speech", settings, default_url, default_path, resources, resources.metrics.tts);
    if (!endpoint) return endpoint.error();
    return std::unique_ptr<TextToSpeech>(new OpenAiTts(std::move(*endpoint), settings, resources));
}

OpenAiTts::OpenAiTts(HttpEndpoint endpoint, TtsSettings settings, const Resources& resources)
    : endpoint_(std::move(endpoint)), settings_(std::move(settings)), decoder_(&resources.decoder), gate_(settings_.gate)
{
    if (!gate_ && settings_.requests_at_once > 0) gate_ = std::make_shared<Gate>(static_cast<std::size_t>(settings_.requests_at_once));
}

OpenAiTts::Utterance OpenAiTts::utterance(const SpeechRequest& request)
{
    Utterance utterance;
    utterance.model = request.choice.model.empty() ? settings_.model : request.choice.model;
    utterance.speed = request.speed;
    std::string wanted = request.voice;
    const Voice* const own = own_voice(settings_.voices.get(), wanted);
    if (own) {
        wanted = own->voice;
        utterance.speed *= own->speed;
    }
    utterance.speed = std::clamp(utterance.speed, 0.25, 4.0);
    // A voice of the operator's list is what they wrote: other services have names in capitals.
    const bool as_written = own && !own->voice.empty();
    utterance.voice = as_written ? own->voice : choose_voice(utterance.model, wanted, settings_.fallback_voice);
    if (unknown_voices_.contains(utterance.voice)) utterance.voice = settings_.fallback_voice;
    if (lower_case(utterance.voice) != lower_case(wanted))
        log::warn("tts.voice_fallback",
                  {{"section", settings_.section}, {"model", utterance.model}, {"voice", wanted}, {"instead", utterance.voice}});
    // The first models refuse them.
    if (!utterance.model.starts_with("tts-1"))
        utterance.instructions = cut(request.instructions.empty() ? settings_.instructions : request.instructions, instructions_characters_max);
    return utterance;
}

json::object OpenAiTts::body(const Utterance& utterance, std::string_view text) const
{
    json::object body;
    body["model"] = utterance.model;
    body["input"] = text;
    body["voice"] = utterance.voice;
    body["response_format"] = settings_.response_format;
    if (utterance.speed != 1.0) body["speed"] = utterance.speed;
    if (!utterance.instructions.empty()) body["instructions"] = utterance.instructions;
    return body;
}

bool OpenAiTts::refuses_voice(const Refusal& refusal, const std::string& voice) const
{
    const bool is_request_refused = refusal.status == 400 || refusal.status == 404 || refusal.status == 422;
    if (!is_request_refused || settings_.fallback_voice.empty() || voice == settings_.fallback_voice) return false;
    return lower_case(refusal.words).find("voice") != std::string::npos;
}

Task<net::HttpAnswer> OpenAiTts::ask(Utterance& utterance, const std::string& text, Stop stop)
{
    Refusal refusal;
    HttpEndpoint::MakeBody first_body = json_body(body(utterance, text));
    auto answer = co_await endpoint_.post("application/json", std::move(first_body), stop, &refusal);
    if (answer || stop.stop_requested() || !refuses_voice(refusal, utterance.voice)) co_return answer;

    log::warn("tts.voice_fallback", {{"section", settings_.section},
                                     {"host", endpoint_.host()},
                                     {"model", utterance.model},
                                     {"voice", utterance.voice},
                                     {"instead", settings_.fallback_voice}});
    const std::string refused = std::exchange(utterance.voice, settings_.fallback_voice);
    HttpEndpoint::MakeBody second_body = json_body(body(utterance, text));
    auto second = co_await endpoint_.post("application/json", std::move(second_body), stop);
    if (second && unknown_voices_.size() < unknown_voices_max) unknown_voices_.insert(refused);
    co_return second;
}

Task<SpeechUsage> OpenAiTts::speak(SpeechRequest request, SpeechSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const std::string text = one_line(request.text, text_characters_max);
    SpeechUsage usage;
    if (text.empty()) co_return usage;

    StopAfter until(executor, milliseconds(0), stop);
    Gate::Pass pass;
    if (gate_) {
        auto entered = co_await gate_->enter(until.token(), settings_.times.first_byte);
        if (!entered) co_return entered.error();
        pass.swap(*entered);
    }
    Utterance wanted = utterance(request);
    SpeechAnswerRules rules(settings_);
    const std::vector<std::string> pieces = split_for_speech(text, input_characters_max);
    for (const std::string& piece : pieces) {
        auto answer = co_await ask(wanted, piece, until.token());
        if (!answer) co_return answer.error();
        const auto samples = co_await play_answer(*answer, endpoint_, *decoder_, rules, sink, until);
        if (!samples) co_return samples.error();
        rules.samples_max -= *samples;
        usage.characters += static_cast<std::int64_t>(utf8_characters(piece));
    }
    co_return usage;
}

}  // namespace repartee::providers
