#include "repartee/providers/decode.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/speech_stream.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/providers/program.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

using audio::Container;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Samples = std::vector<std::int16_t>;

// About a millisecond of work: sessions of the same thread are heard in between.
constexpr std::size_t slice_bytes = 128 << 10;
constexpr std::size_t complaint_characters_max = 200;
constexpr std::string_view input_file = "/proc/self/fd/0";
constexpr std::string_view accepted = "Send WAV, MP3, Ogg, WebM, M4A, FLAC or AAC.";

std::string_view demuxer(Container container)
{
    switch (container) {
    case Container::wav: return "wav";
    case Container::mp3: return "mp3";
    case Container::ogg: return "ogg";
    case Container::webm: return "matroska";
    case Container::mp4: return "mov";
    case Container::flac: return "flac";
    case Container::aac: return "aac";
    case Container::unknown: break;
    }
    return "";
}

std::size_t samples_of(std::int64_t ms) { return static_cast<std::size_t>(ms) * (audio::realtime_hz / 1000); }

Error too_long(std::int64_t audio_ms_max)
{
    return Error{Code::too_large, fmt::format("The recording is longer than {} seconds. Send it in parts.", audio_ms_max / 1000)};
}

Error no_sound() { return Error{Code::invalid_audio, fmt::format("The recording holds no sound. {}", accepted)}; }

/// What the program wrote, as samples; a piece may end within one.
struct Output {
    Samples samples;
    std::size_t bytes = 0;

    void append(std::span<const std::byte> piece)
    {
        samples.resize((bytes + piece.size() + 1) / audio::sample_bytes);
        std::memcpy(reinterpret_cast<std::byte*>(samples.data()) + bytes, piece.data(), piece.size());
        bytes += piece.size();
    }
    void end() { samples.resize(bytes / audio::sample_bytes); }
};

/// Whether the program itself could not run, whatever the file is.
bool did_not_start(std::string_view message) { return message.find("error while loading shared libraries") != std::string_view::npos; }

Error explained(const Error& error, Container container, std::int64_t audio_ms_max)
{
    if (error.code == Code::too_large) return too_long(audio_ms_max);
    if (error.code == Code::timeout) return Error{Code::timeout, "Decoding the recording took too long. Send a shorter one, or WAV."};
    if (error.code != Code::provider_failed) return error;
    std::string words = error.message;
    for (std::size_t at = words.find(input_file); at != std::string::npos; at = words.find(input_file))
        words.replace(at, input_file.size(), "the file");
    if (did_not_start(words))
        return Error{Code::not_configured, fmt::format("{}. Install it anew, or give it more memory: it needs 300 MiB of address space to start.",
                                                       cut(words, complaint_characters_max))};
    return Error{Code::invalid_audio, fmt::format("The recording cannot be read as {}: {}. {}", audio::file_extension(container),
                                                  cut(words, complaint_characters_max), accepted)};
}

bool is_plain_wav(const std::string& file) { return audio::parse_wav(std::as_bytes(std::span(file))).has_value(); }

Task<Samples> decode_wav(const std::string& file, std::int64_t audio_ms_max, Stop stop)
{
    const auto format = audio::parse_wav(std::as_bytes(std::span(file)));
    if (!format) co_return format.error();
    const auto frames = static_cast<std::int64_t>(format->data_bytes / (static_cast<std::size_t>(format->channels) * audio::sample_bytes));
    if (frames == 0) co_return no_sound();
    if (frames * 1000 / format->sample_rate_hz > audio_ms_max) co_return too_long(audio_ms_max);

    const auto executor = co_await asio::this_coro::executor;
    // Not what may stand behind the samples.
    const auto bytes = std::as_bytes(std::span(file)).first(format->data_offset + format->data_bytes);
    audio::SpeechStream stream(audio::realtime_hz);
    Samples samples;
    for (std::size_t at = 0; at < bytes.size(); at += slice_bytes) {
        if (stop.stop_requested()) co_return Error{Code::cancelled, "Decoding was stopped."};
        const auto fed = stream.feed(bytes.subspan(at, std::min(slice_bytes, bytes.size() - at)), samples);
        if (!fed) co_return fed.error();
        co_await asio::post(executor, asio::use_awaitable);
    }
    const auto finished = stream.finish(samples);
    if (!finished) co_return finished.error();
    co_return std::move(samples);
}

}  // namespace

std::vector<std::string> ffmpeg_arguments(Container container, int output_hz, std::int64_t audio_ms_max)
{
    // A second more than may be, so that too much is known from just enough.
    const std::int64_t seconds = audio_ms_max / 1000 + 1;
    return {"-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-protocol_whitelist", "file", "-f", std::string(demuxer(container)),
            "-i", std::string(input_file), "-map", "0:a:0", "-vn", "-sn", "-dn", "-t", std::to_string(seconds),
            "-ac", "1", "-ar", std::to_string(output_hz), "-f", "s16le", "pipe:1"};
}

AudioDecoder::AudioDecoder(DecodeSettings settings) : settings_(std::move(settings)), gate_(settings_.programs_max) {}

bool AudioDecoder::available() const { return is_installed(settings_.program); }

Task<Samples> AudioDecoder::decode(std::string file, Container container, Stop stop)
{
    if (stop.stop_requested()) co_return Error{Code::cancelled, "Decoding was stopped."};
    if (demuxer(container).empty()) co_return Error{Code::invalid_audio, fmt::format("The recording is of no known kind. {}", accepted)};
    const bool plain = container == Container::wav && is_plain_wav(file);
    if (plain) co_return co_await decode_wav(file, settings_.audio_ms_max, stop);

    const auto began = steady_clock::now();
    const auto pass = co_await gate_.enter(stop, settings_.limit);
    if (!pass) co_return pass.error();
    const auto waited = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);

    ProgramRequest program;
    program.argv = ffmpeg_arguments(container, audio::realtime_hz, settings_.audio_ms_max);
    program.argv.insert(program.argv.begin(), settings_.program);
    program.input = std::move(file);
    program.limit = std::max(settings_.limit - waited, milliseconds(1));
    program.output_bytes_max = samples_of(settings_.audio_ms_max + 2'000) * audio::sample_bytes;
    program.memory_bytes_max = settings_.memory_bytes_max;
    program.when_missing = "Install it: apt-get install ffmpeg. Or send WAV with 16-bit PCM, which needs no program.";

    Output output;
    const ByteSink take = [&output](std::span<const std::byte> piece) { output.append(piece); };
    const auto ended = co_await run_program(std::move(program), take, stop);
    if (!ended) co_return explained(ended.error(), container, settings_.audio_ms_max);
    output.end();
    if (output.samples.empty()) co_return no_sound();
    if (output.samples.size() > samples_of(settings_.audio_ms_max)) co_return too_long(settings_.audio_ms_max);
    co_return std::move(output.samples);
}

}  // namespace repartee::providers
