#include "openai_stt.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/net/multipart.hpp"
#include "repartee/net/sse.hpp"
#include "repartee/providers/text.hpp"
#include "service_words.hpp"
#include "transcript_json.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::string_view default_url = "https://api.openai.com/v1";
constexpr std::string_view default_path = "audio/transcriptions";
constexpr std::size_t answer_bytes_max = 4 << 20;
// Models invent words for less; services refuse it.
constexpr std::int64_t speech_ms_min = 100;

Error stopped() { return Error{Code::cancelled, "The transcription was stopped."}; }

std::string wav_of(const std::vector<std::int16_t>& samples, int hz, int wav_hz)
{
    if (hz == wav_hz) return audio::make_wav(samples, hz);
    audio::Resampler resampler(hz, wav_hz);
    std::vector<std::int16_t> resampled;
    resampler.process(samples, resampled);
    resampler.flush(resampled);
    return audio::make_wav(resampled, wav_hz);
}

bool is_wav_as_wanted(const std::string& file, int hz)
{
    const auto format = audio::parse_wav(std::as_bytes(std::span(file)));
    return format && format->channels == 1 && format->sample_rate_hz == hz;
}

bool streams(const SttSettings& settings, std::string_view model)
{
    return settings.stream && settings.response_format == "json" && model != "whisper-1";
}

}  // namespace

Result<std::unique_ptr<SpeechToText>> OpenAiStt::create(const SttSettings& settings, const Resources& resources)
{
    bool known = false;
    for (const std::string_view format : {"json", "verbose_json", "text"}) known = known || settings.response_format == format;
    const std::string setting = settings.section + ".response_format";
    if (!known) return Error{Code::invalid_value, setting + " must be json, verbose_json or text.", setting};
    auto endpoint = HttpEndpoint::create("transcription", settings, default_url, default_path, resources, resources.metrics.stt);
    if (!endpoint) return endpoint.error();
    return std::unique_ptr<SpeechToText>(new OpenAiStt(std::move(*endpoint), settings, resources));
}

OpenAiStt::OpenAiStt(HttpEndpoint endpoint, SttSettings settings, const Resources& resources)
    : endpoint_(std::move(endpoint)), settings_(std::move(settings)), decoder_(&resources.decoder)
{
}

Task<OpenAiStt::Upload> OpenAiStt::prepare(AudioClip audio, Stop stop)
{
    Upload upload;
    if (!audio.is_file()) {
        upload.bytes = wav_of(audio.samples, audio.hz, settings_.wav_hz);
        co_return upload;
    }
    const bool readable = settings_.wav_only ? audio.container == audio::Container::wav && is_wav_as_wanted(audio.file, settings_.wav_hz)
                                             : audio.container != audio::Container::unknown;
    if (readable) {
        upload.bytes = std::move(audio.file);
        upload.container = audio.container;
        co_return upload;
    }
    auto samples = co_await decoder_->decode(std::move(audio.file), audio.container, stop);
    if (!samples) co_return samples.error();
    upload.bytes = wav_of(*samples, audio::realtime_hz, settings_.wav_hz);
    co_return upload;
}

/// A refusal of the recording is the speaker's matter, not the service's.
Result<Transcript> OpenAiStt::refused(const Refusal& refusal, const Error& error) const
{
    if (refusal.status != 400 && refusal.status != 415 && refusal.status != 422) return error;
    const auto document = json::parse_object(refusal.words);
    if (!document) return error;
    const std::string words = lower_case(service_words(*document));
    const bool names_file = json::find_string(*document, "error.param") == "file";
    if (service_code(*document) == "audio_too_short" || (words.find("too short") != std::string::npos && words.find("audio") != std::string::npos))
        return Transcript();
    const bool unreadable = names_file || words.find("file format") != std::string::npos || words.find("could not be decoded") != std::string::npos ||
                            words.find("invalid audio") != std::string::npos || words.find("corrupt") != std::string::npos;
    if (!unreadable) return error;
    Error invalid = error;
    invalid.code = Code::invalid_audio;
    return invalid;
}

Task<Transcript> OpenAiStt::transcribe(TranscribeRequest request, TextSink delta, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const bool is_file = request.audio.is_file();
    const auto heard_samples = static_cast<std::int64_t>(request.audio.samples.size());
    if (!is_file && heard_samples * 1000 < speech_ms_min * request.audio.hz) co_return Transcript();
    StopAfter until(executor, milliseconds(0), stop);

    auto upload = co_await prepare(std::move(request.audio), until.token());
    if (!upload) co_return upload.error();
    if (upload->bytes.size() > settings_.audio_bytes_max)
        co_return Error{Code::too_large, fmt::format("The recording has {} bytes, and {} takes at most {}. Speak in shorter turns.",
                                                     upload->bytes.size(), endpoint_.who(), settings_.audio_bytes_max)};

    const std::string& model = request.choice.model.empty() ? settings_.model : request.choice.model;
    net::MultipartWriter form;
    if (!model.empty()) form.field("model", model);
    const std::string& language = request.language.empty() ? settings_.language : request.language;
    if (!language.empty()) form.field("language", language.substr(0, language.find('-')));
    const std::string& prompt = request.prompt.empty() ? settings_.prompt : request.prompt;
    if (!prompt.empty()) form.field("prompt", prompt);
    form.field("response_format", settings_.response_format);
    if (streams(settings_, model)) form.field("stream", "true");
    const std::string file_name = fmt::format("speech.{}", audio::file_extension(upload->container));
    form.file("file", file_name, audio::content_type(upload->container), std::move(upload->bytes));

    std::string content_type = form.content_type();
    const auto source = net::body_of(form.take());
    const HttpEndpoint::MakeBody make_body = [&source] {
        source->rewind();
        return source;
    };
    Refusal refusal;
    auto answer = co_await endpoint_.post(std::move(content_type), make_body, until.token(), &refusal);
    if (!answer) co_return refused(refusal, answer.error());
    auto transcript = co_await read_answer(*answer, std::move(delta), until);
    if (stop.stop_requested()) co_return stopped();
    if (!transcript) co_return endpoint_.told(transcript.error());
    if (!is_file && !transcript->duration_s) transcript->duration_s = static_cast<double>(heard_samples) / request.audio.hz;
    co_return transcript;
}

Result<Transcript> OpenAiStt::read_whole(std::string_view body, std::string_view content_type) const
{
    const std::string_view beginning = trim(body);
    if (beginning.starts_with('{')) return read_transcript(body, settings_.no_speech_max, endpoint_.who());
    const bool is_plain = settings_.response_format == "text" || lower_case(content_type).starts_with("text/plain");
    if (beginning.starts_with('<') || !is_plain) return endpoint_.wrong_content(content_type, "a transcript");
    return read_plain_transcript(body, endpoint_.who());
}

Task<Transcript> OpenAiStt::read_answer(net::HttpAnswer& answer, TextSink delta, StopAfter& stop)
{
    const std::string content_type(answer.header("content-type"));
    if (lower_case(content_type).starts_with("text/event-stream")) co_return co_await read_events(answer, std::string(), std::move(delta), stop);
    auto body = co_await answer.read_all(answer_bytes_max);
    if (!body) co_return body.error();
    // Asked to stream, some send events under another name.
    if (trim(*body).starts_with("data:")) co_return co_await read_events(answer, std::move(*body), std::move(delta), stop);
    auto transcript = read_whole(*body, content_type);
    if (transcript && delta && !transcript->text.empty()) delta(transcript->text);
    co_return transcript;
}

Task<Transcript> OpenAiStt::read_events(net::HttpAnswer& answer, std::string beginning, TextSink delta, StopAfter& stop)
{
    net::SseParser events;
    TranscriptReader reader(endpoint_.who());
    events.feed(beginning);
    bool more = true;
    while (!reader.done()) {
        auto event = events.next();
        if (!event) co_return event.error();
        if (!*event && more) {
            const auto piece = co_await answer.read();
            if (stop.token().stop_requested()) co_return stopped();
            if (!piece) co_return piece.error();
            more = !piece->empty();
            events.feed(*piece);
            continue;
        }
        if (!*event) *event = events.finish();
        if (!*event) break;
        const auto text = reader.read((**event).data);
        if (!text) co_return text.error();
        if (!text->empty() && delta) delta(*text);
        if (stop.token().stop_requested()) co_return stopped();
    }
    auto transcript = reader.finish();
    if (transcript && reader.done()) co_await drain(answer, stop);
    co_return transcript;
}

}  // namespace repartee::providers
