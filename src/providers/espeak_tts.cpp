#include "repartee/providers/espeak_tts.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/tone.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/base/log.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/program.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace repartee::providers {
namespace {

constexpr std::size_t text_characters_max = 4'000;
constexpr int chime_ms = 900;
constexpr std::size_t header_bytes_max = 4 << 10;
constexpr std::size_t wav_header_bytes = 44;
constexpr std::size_t speech_seconds_max = 600;
constexpr std::size_t espeak_output_bytes_max = speech_seconds_max * 22'050 * audio::sample_bytes;

// Below this (-50 dBFS) nothing is heard.
constexpr int silence_level = 100;
constexpr std::size_t lead_in_samples = audio::bytes_of_ms(20, audio::realtime_hz) / audio::sample_bytes;

// Measured: about five syllables a second, as people speak. espeak counts Korean words as longer than English ones.
constexpr double words_per_minute_ko = 185;
constexpr double words_per_minute = 160;

/// Two or three letters, with at most one subtag: never an option, a path or a voice of another kind.
bool is_plain_language(std::string_view language)
{
    const auto all_letters = [](std::string_view part) { return std::ranges::all_of(part, [](char c) { return c >= 'a' && c <= 'z'; }); };
    const std::size_t dash = language.find('-');
    const std::string_view first = language.substr(0, dash);
    if (first.size() < 2 || first.size() > 3 || !all_letters(first)) return false;
    if (dash == std::string_view::npos) return true;
    const std::string_view second = language.substr(dash + 1);
    return second.size() >= 2 && second.size() <= 8 && all_letters(second);
}

std::string espeak_language(std::string_view language)
{
    std::string lower(language);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    // "ko-KR" is Korean; regions that espeak knows are few.
    if (lower.starts_with("ko")) return "ko";
    return is_plain_language(lower) ? lower : "en";
}

std::string espeak_text(std::string_view text)
{
    std::string line = one_line(text, text_characters_max);
    // "[[" would begin phoneme codes.
    for (std::size_t at = line.find("[["); at != std::string::npos; at = line.find("[[", at)) line.insert(at + 1, 1, ' ');
    return line;
}

/// Drops silence before the first sound, but for a short lead-in.
class LeadTrimmer {
public:
    explicit LeadTrimmer(const SpeechSink& sink) : sink_(sink) {}

    void feed(std::span<const std::int16_t> samples)
    {
        if (!heard_) {
            const auto first = std::ranges::find_if(samples, [](std::int16_t s) { return std::abs(s) > silence_level; });
            heard_ = first != samples.end();
            const auto quiet = static_cast<std::size_t>(first - samples.begin());
            keep_quiet(samples.first(quiet));
            samples = samples.subspan(quiet);
            if (!heard_) return;
            if (!lead_in_.empty()) sink_(lead_in_);
        }
        if (!samples.empty()) sink_(samples);
    }

private:
    void keep_quiet(std::span<const std::int16_t> samples)
    {
        if (samples.size() > lead_in_samples) samples = samples.last(lead_in_samples);
        lead_in_.insert(lead_in_.end(), samples.begin(), samples.end());
        if (lead_in_.size() > lead_in_samples) lead_in_.erase(lead_in_.begin(), lead_in_.end() - lead_in_samples);
    }

    const SpeechSink& sink_;
    std::vector<std::int16_t> lead_in_;
    bool heard_ = false;
};

/// A WAV stream, byte piece by byte piece, into 24 kHz samples.
class WavReader {
public:
    explicit WavReader(const SpeechSink& sink) : trimmer_(sink) {}

    void feed(std::span<const std::byte> bytes)
    {
        if (error_) return;
        pending_.insert(pending_.end(), bytes.begin(), bytes.end());
        if (!resampler_ && !read_header()) return;
        const std::size_t whole = pending_.size() / audio::sample_bytes;
        if (whole == 0) return;
        input_.resize(whole);
        std::memcpy(input_.data(), pending_.data(), whole * audio::sample_bytes);
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(whole * audio::sample_bytes));
        output_.clear();
        resampler_->process(input_, output_);
        trimmer_.feed(output_);
    }

    Result<void> finish()
    {
        if (error_) return *error_;
        if (!resampler_)
            return Error{Code::provider_failed, "The embedded voice sent no WAV file. Check that local.espeak_program is espeak-ng."};
        output_.clear();
        resampler_->flush(output_);
        trimmer_.feed(output_);
        return {};
    }

    bool failed() const { return error_.has_value(); }

private:
    /// False: more bytes are needed, or none will help.
    bool read_header()
    {
        if (pending_.size() < wav_header_bytes) return false;
        const auto format = audio::parse_wav(pending_);
        if (!format) {
            if (pending_.size() >= header_bytes_max) error_ = Error{Code::provider_failed, "The embedded voice: " + format.error().message};
            return false;
        }
        if (format->channels != 1) {
            error_ = Error{Code::provider_failed, "The embedded voice is not mono. Check that local.espeak_program is espeak-ng."};
            return false;
        }
        pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(format->data_offset));
        resampler_.emplace(format->sample_rate_hz, audio::realtime_hz);
        return true;
    }

    LeadTrimmer trimmer_;
    std::vector<std::byte> pending_;
    std::vector<std::int16_t> input_, output_;
    std::optional<audio::Resampler> resampler_;
    std::optional<Error> error_;
};

}  // namespace

std::vector<std::string> espeak_arguments(const SpeechRequest& request)
{
    const std::string language = espeak_language(request.language);
    const char* variant = request.pitch > 1.1 ? "+f3" : "+m3";
    // An octave up or down is what -p can do.
    const long pitch = std::clamp(std::lround(50 + 50 * std::log2(std::clamp(request.pitch, 0.5, 2.0))), 0L, 99L);
    const double base = language == "ko" ? words_per_minute_ko : words_per_minute;
    const long speed = std::lround(std::clamp(base * request.speed, 80.0, 450.0));
    return {"-v", language + variant, "-p", std::to_string(pitch), "-s", std::to_string(speed), "-b", "1", "--stdin", "--stdout"};
}

EspeakTts::EspeakTts(std::string program, std::chrono::milliseconds limit, std::size_t programs_max)
    : program_(std::move(program)), limit_(limit), gate_(programs_max)
{
}

bool EspeakTts::available() const
{
    std::call_once(looked_up_, [this] { available_ = is_installed(program_); });
    return available_;
}

void EspeakTts::warn_once(std::string_view why)
{
    if (!warned_.exchange(true)) log::warn("tts.chime_instead_of_speech", {{"why", why}});
}

Task<SpeechUsage> EspeakTts::speak(SpeechRequest request, SpeechSink sink, Stop stop)
{
    ProgramRequest program;
    program.input = espeak_text(request.text);
    SpeechUsage usage;
    if (program.input.empty()) co_return usage;
    usage.characters = static_cast<std::int64_t>(utf8_characters(program.input));
    program.argv = espeak_arguments(request);
    program.argv.insert(program.argv.begin(), program_);
    program.limit = limit_;
    program.output_bytes_max = espeak_output_bytes_max;
    program.when_missing = "Install it: apt-get install espeak-ng";

    auto pass = co_await gate_.enter(stop, limit_);
    if (!pass) co_return pass.error();

    WavReader reader(sink);
    std::stop_source ended;
    const auto end = [&ended] { ended.request_stop(); };
    const std::stop_callback on_stop(stop, end);
    const ByteSink feed = [&reader, &ended](std::span<const std::byte> bytes) {
        reader.feed(bytes);
        if (reader.failed()) ended.request_stop();
    };
    auto outcome = co_await run_program(std::move(program), feed, ended.get_token());

    if (!outcome && outcome.error().code == Code::not_configured) {
        warn_once(outcome.error().message);
        sink(audio::chime(audio::realtime_hz, chime_ms));
        co_return usage;
    }
    if (!outcome && !reader.failed()) co_return outcome.error();
    const auto finished = reader.finish();
    if (!finished) co_return finished.error();
    co_return usage;
}

}  // namespace repartee::providers
