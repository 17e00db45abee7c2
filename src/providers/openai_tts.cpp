#include "repartee/providers/openai_tts.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/base/json.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/http_client.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <fmt/format.h>
#include <optional>

namespace repartee::providers {
namespace {

using PcmSink = std::function<void(std::span<const std::int16_t>)>;

constexpr std::string_view openai_host = "api.openai.com";
constexpr std::size_t input_characters_max = 4'096;  // the service's own limit
constexpr std::size_t text_characters_max = 10 * input_characters_max;
// 4096 characters are about five minutes, or 15 MB, of speech; a look-alike's WAV may have twice the rate.
constexpr std::size_t answer_bytes_max = 48 << 20;
constexpr std::size_t quoted_characters_max = 300;
constexpr std::size_t sink_samples = audio::realtime_hz / 10;
constexpr std::chrono::milliseconds ask_stop_interval{50};

constexpr std::string_view tts1_voices[] = {"alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer"};

std::string lower_case(std::string_view text)
{
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
}

/// A request in flight. Shared, so that a stopped caller need not wait for it.
struct Exchange {
    Exchange(const asio::any_io_executor& executor, net::HttpRequest request_, std::shared_ptr<const net::TlsContext> tls_)
        : request(std::move(request_)), tls(std::move(tls_)), answered(executor)
    {
    }
    net::HttpRequest request;
    std::shared_ptr<const net::TlsContext> tls;
    net::Signal answered;
    std::optional<Result<net::Response>> answer;
};

void start(const asio::any_io_executor& executor, const std::shared_ptr<Exchange>& exchange, std::chrono::milliseconds limit)
{
    asio::co_spawn(executor, net::http_request(exchange->request, exchange->tls.get(), answer_bytes_max, limit),
                   [exchange](std::exception_ptr failure, Result<net::Response> response) {
                       if (failure) response = Error{Code::internal, "The request to the speech service ended unexpectedly. Try again."};
                       exchange->answer = std::move(response);
                       exchange->answered.notify();
                   });
}

Task<net::Response> fetch(net::HttpRequest request, std::shared_ptr<const net::TlsContext> tls, std::chrono::milliseconds limit, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto exchange = std::make_shared<Exchange>(executor, std::move(request), std::move(tls));
    start(executor, exchange, limit);
    while (!exchange->answer) {
        if (stop && stop()) co_return Error{Code::cancelled, "The speech request was stopped."};
        const Instant ask_again = std::chrono::steady_clock::now() + ask_stop_interval;
        co_await exchange->answered.wait_until(ask_again);
    }
    co_return std::move(*exchange->answer);
}

std::string_view header(const net::Response& response, std::string_view lower_case_name)
{
    for (const auto& [name, value] : response.headers)
        if (name == lower_case_name) return value;
    return {};
}

/// An odd last byte is half a sample and nothing to hear.
std::vector<std::int16_t> samples_of(std::string_view bytes)
{
    std::vector<std::int16_t> samples(bytes.size() / audio::sample_bytes);
    if (!samples.empty()) std::memcpy(samples.data(), bytes.data(), samples.size() * audio::sample_bytes);
    return samples;
}

std::vector<std::int16_t> mix_to_mono(const std::vector<std::int16_t>& interleaved, int channels)
{
    const auto width = static_cast<std::size_t>(channels);
    std::vector<std::int16_t> mono(interleaved.size() / width);
    for (std::size_t i = 0; i < mono.size(); ++i) {
        int sum = 0;
        for (std::size_t c = 0; c < width; ++c) sum += interleaved[i * width + c];
        mono[i] = static_cast<std::int16_t>(sum / channels);
    }
    return mono;
}

Result<std::vector<std::int16_t>> decode_wav(std::string_view body)
{
    const auto format = audio::parse_wav(std::as_bytes(std::span(body)));
    if (!format) return Error{Code::provider_failed, "The speech service's WAV file: " + format.error().message};
    auto samples = samples_of(body.substr(format->data_offset, format->data_bytes));
    if (format->channels > 1) samples = mix_to_mono(samples, format->channels);
    audio::Resampler resampler(format->sample_rate_hz, audio::realtime_hz);
    std::vector<std::int16_t> resampled;
    resampler.process(samples, resampled);
    resampler.flush(resampled);
    return resampled;
}

/// PCM was asked for, but some servers send WAV whatever is asked.
Result<std::vector<std::int16_t>> decode(const net::Response& response)
{
    const std::string_view type = header(response, "content-type");
    if (response.body.starts_with("RIFF")) return decode_wav(response.body);
    if (type.find("json") != std::string_view::npos || type.find("text/") == 0 || type.find("mpeg") != std::string_view::npos)
        return Error{Code::provider_failed,
                     fmt::format("The speech service sent {} where PCM was asked for. Check tts.url.", one_line(type, 60))};
    auto samples = samples_of(response.body);
    if (samples.empty()) return Error{Code::provider_failed, "The speech service sent no audio. Check tts.model and the voice."};
    return samples;
}

std::string_view mend(int status)
{
    if (status == 401 || status == 403) return "Check tts.api_key (or OPENAI_API_KEY).";
    if (status == 404) return "Check tts.url and tts.model.";
    if (status == 429) return "Check the account's quota, or try again later.";
    if (status >= 500) return "Try again later.";
    return "Check tts.model, the voice and the text.";
}

std::string error_words(const std::optional<json::object>& document, std::string_view body)
{
    if (!document) return std::string(body.find('<') == std::string_view::npos ? body : std::string_view());
    for (const std::string_view path : {"error.message", "error", "detail", "message"})
        if (const auto words = json::find_string(*document, path)) return std::string(*words);
    return {};
}

/// Some services quote the key they refuse, in parts or whole.
std::string without_keys(std::string text, std::string_view key)
{
    if (!key.empty())
        for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at)) text.replace(at, key.size(), "***");
    for (std::size_t at = text.find("sk-"); at != std::string::npos; at = text.find("sk-", at + 3)) {
        const std::size_t end = text.find_first_of(" \"',", at);
        text.replace(at, end == std::string::npos ? end : end - at, "***");
    }
    return text;
}

}  // namespace

std::string choose_voice(std::string_view model, std::string_view wanted, std::string_view fallback)
{
    const std::string voice = lower_case(wanted);
    const bool is_tts1 = model.starts_with("tts-1");
    const bool missing = voice.empty() || (is_tts1 && std::ranges::find(tts1_voices, voice) == std::end(tts1_voices));
    return missing && !fallback.empty() ? std::string(fallback) : voice;
}

Result<std::unique_ptr<OpenAiTts>> OpenAiTts::create(OpenAiTtsSettings settings)
{
    std::string base = settings.url;
    while (base.ends_with('/')) base.pop_back();
    auto url = net::parse_url(base + "/audio/speech");
    if (!url) return Error{Code::invalid_value, "tts.url: " + url.error().message, "tts.url"};
    if (url->host == openai_host && settings.api_key.empty())
        return Error{Code::not_configured,
                     "The speech service needs a key. Set tts.api_key or OPENAI_API_KEY, or tts.provider = \"embedded\"."};
    std::shared_ptr<const net::TlsContext> tls;
    if (url->tls()) {
        auto context = net::TlsContext::client(settings.ca_file);
        if (!context) return context.error();
        tls = std::make_shared<const net::TlsContext>(std::move(*context));
    }
    return std::unique_ptr<OpenAiTts>(new OpenAiTts(std::move(settings), std::move(*url), std::move(tls)));
}

OpenAiTts::OpenAiTts(OpenAiTtsSettings settings, net::Url url, std::shared_ptr<const net::TlsContext> tls)
    : settings_(std::move(settings)), url_(std::move(url)), tls_(std::move(tls))
{
}

std::string OpenAiTts::choose_voice_or_warn(const std::string& wanted)
{
    std::string voice = choose_voice(settings_.model, wanted, settings_.fallback_voice);
    if (voice != lower_case(wanted)) log::warn("tts.voice_fallback", {{"model", settings_.model}, {"voice", wanted}, {"instead", voice}});
    return voice;
}

Error OpenAiTts::refusal(int status, std::string_view body) const
{
    std::optional<json::object> document;
    if (auto parsed = json::parse_object(body)) document = std::move(*parsed);
    const std::string words = one_line(without_keys(error_words(document, body), settings_.api_key), quoted_characters_max);
    const std::string said = words.empty() ? std::string(".") : ": \"" + words + "\".";
    Error error;
    error.code = Code::provider_failed;
    error.message = fmt::format("The speech service {} answered {}{} {}", url_.host_header(), status, said, mend(status));
    if (document) error.upstream_code = one_line(json::find_string(*document, "error.code").value_or(""), 60);
    return error;
}

Task<std::vector<std::int16_t>> OpenAiTts::speak_piece(std::string text, std::string voice, double speed, Stop stop)
{
    json::object body;
    body["model"] = settings_.model;
    body["input"] = text;
    body["voice"] = voice;
    body["response_format"] = "pcm";
    body["speed"] = std::clamp(speed, 0.25, 4.0);

    net::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers.emplace_back("Content-Type", "application/json");
    if (!settings_.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + settings_.api_key);
    request.body = json::to_text(body);

    const auto response = co_await fetch(std::move(request), tls_, settings_.limit, std::move(stop));
    if (!response) co_return response.error();
    if (response->status != 200) co_return refusal(response->status, response->body);
    co_return decode(*response);
}

Task<> OpenAiTts::speak(SpeechRequest request, PcmSink sink, Stop stop)
{
    const std::string text = one_line(request.text, text_characters_max);
    const std::string voice = choose_voice_or_warn(request.voice);
    const std::vector<std::string> pieces = split_for_speech(text, input_characters_max);
    for (const std::string& piece : pieces) {
        const auto samples = co_await speak_piece(piece, voice, request.speed, stop);
        if (!samples) co_return samples.error();
        for (std::span<const std::int16_t> rest = *samples; !rest.empty();) {
            if (stop && stop()) co_return Error{Code::cancelled, "The speech was stopped."};
            const auto next = rest.first(std::min(rest.size(), sink_samples));
            sink(next);
            rest = rest.subspan(next.size());
        }
    }
    co_return Result<void>();
}

}  // namespace repartee::providers
