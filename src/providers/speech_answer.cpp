#include "speech_answer.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/speech_stream.hpp"
#include "repartee/providers/text.hpp"
#include "service_words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t document_bytes_max = 64 << 10;
// 4096 characters are about five minutes, or 15 MB, of speech; a look-alike's file may have twice the rate.
constexpr std::size_t file_bytes_max = 48 << 20;
constexpr std::size_t sink_samples = audio::realtime_hz / 10;

Error stopped() { return Error{Code::cancelled, "The speech was stopped."}; }

bool is_text(std::string_view content_type)
{
    const std::string type = lower_case(content_type);
    return type.starts_with("text/") || type.find("json") != std::string::npos;
}

bool is_page(std::string_view beginning)
{
    const std::string text = lower_case(trim(beginning).substr(0, 16));
    return text.starts_with("<!doctype") || text.starts_with("<html");
}

/// What the sink is given, bounded.
class Output {
public:
    Output(const HttpEndpoint& endpoint, std::int64_t samples_max, const SpeechSink& sink)
        : endpoint_(endpoint), samples_max_(samples_max), sink_(sink)
    {
    }

    Result<void> give(std::span<const std::int16_t> samples)
    {
        given_ += static_cast<std::int64_t>(samples.size());
        if (given_ > samples_max_)
            return Error{Code::provider_failed, fmt::format("{} sent more than {} s of sound for one text. Check {}.url.", endpoint_.who(),
                                                            samples_max_ / audio::realtime_hz, endpoint_.settings().section)};
        if (!samples.empty()) sink_(samples);
        return {};
    }
    std::int64_t given() const { return given_; }

private:
    const HttpEndpoint& endpoint_;
    std::int64_t samples_max_;
    const SpeechSink& sink_;
    std::int64_t given_ = 0;
};

/// What came: at once as samples, or kept when it is a file that must be whole to be read.
class Input {
public:
    Input(const HttpEndpoint& endpoint, int raw_hz) : endpoint_(endpoint), stream_(raw_hz) {}

    Result<void> feed(std::string_view bytes, std::vector<std::int16_t>& samples)
    {
        if (!std::exchange(anything_came_, true) && is_page(bytes)) return endpoint_.wrong_content("text/html", "sound");
        if (foreign()) return keep(bytes);
        return judge(stream_.feed(std::as_bytes(std::span(bytes)), samples));
    }

    Result<void> finish(std::vector<std::int16_t>& samples)
    {
        if (!anything_came_)
            return Error{Code::provider_failed, fmt::format("{} sent no sound. Check {}.model and the voice.", endpoint_.who(),
                                                            endpoint_.settings().section)};
        if (foreign()) return {};
        return judge(stream_.finish(samples));
    }

    std::optional<audio::Container> foreign() const { return stream_.foreign(); }
    std::string take_file() { return std::move(file_); }

private:
    Result<void> judge(const Result<void>& outcome)
    {
        if (foreign()) return keep(stream_.take_foreign());
        if (!outcome) return Error{Code::provider_failed, fmt::format("{}: {}", endpoint_.who(), outcome.error().message)};
        return {};
    }

    Result<void> keep(std::string_view bytes)
    {
        if (file_.size() + bytes.size() > file_bytes_max)
            return Error{Code::provider_failed, fmt::format("{} sent a file of more than {} bytes.", endpoint_.who(), file_bytes_max)};
        file_ += bytes;
        return {};
    }

    const HttpEndpoint& endpoint_;
    audio::SpeechStream stream_;
    std::string file_;
    bool anything_came_ = false;
};

Error words_instead(const HttpEndpoint& endpoint, std::string_view content_type, const std::string& body)
{
    if (const auto document = json::parse_object(body))
        if (auto failure = service_failure(*document, endpoint.who())) return endpoint.told(std::move(*failure));
    return endpoint.wrong_content(content_type, "sound");
}

}  // namespace

Task<std::int64_t> play_answer(net::HttpAnswer& answer, const HttpEndpoint& endpoint, AudioDecoder& decoder, SpeechAnswerRules rules, SpeechSink sink,
                               StopAfter& stop)
{
    const std::string content_type(answer.header("content-type"));
    if (is_text(content_type)) {
        const auto body = co_await answer.read_all(document_bytes_max);
        if (stop.token().stop_requested()) co_return stopped();
        std::string words;
        if (body) words = *body;
        co_return words_instead(endpoint, content_type, words);
    }

    Input input(endpoint, rules.raw_hz);
    Output output(endpoint, rules.samples_max, sink);
    std::vector<std::int16_t> samples;
    for (bool more = true; more;) {
        const auto piece = co_await answer.read();
        if (stop.token().stop_requested()) co_return stopped();
        if (!piece) co_return endpoint.told(piece.error());
        more = !piece->empty();
        samples.clear();
        const auto taken = more ? input.feed(*piece, samples) : input.finish(samples);
        if (!taken) co_return taken.error();
        const auto given = output.give(samples);
        if (!given) co_return given.error();
        if (stop.token().stop_requested()) co_return stopped();
    }
    if (!input.foreign()) co_return output.given();

    auto decoded = co_await decoder.decode(input.take_file(), *input.foreign(), stop.token());
    if (stop.token().stop_requested()) co_return stopped();
    if (!decoded && decoded.error().code == Code::invalid_audio)
        co_return Error{Code::provider_failed, fmt::format("{}: {}", endpoint.who(), decoded.error().message)};
    if (!decoded) co_return decoded.error();
    for (std::span<const std::int16_t> rest = *decoded; !rest.empty();) {
        const auto next = rest.first(std::min(rest.size(), sink_samples));
        const auto given = output.give(next);
        if (!given) co_return given.error();
        if (stop.token().stop_requested()) co_return stopped();
        rest = rest.subspan(next.size());
    }
    co_return output.given();
}

}  // namespace repartee::providers
