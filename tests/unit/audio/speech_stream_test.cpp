#include "repartee/audio/speech_stream.hpp"

#include "repartee/audio/mp3.hpp"
#include "repartee/audio/wav.hpp"
#include "signals.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee;
using namespace repartee::audio;

namespace {

std::string bytes_of(const signals::Samples& samples) { return {reinterpret_cast<const char*>(samples.data()), samples.size() * 2}; }

Result<signals::Samples> read(const std::string& sent, std::size_t piece_bytes, int raw_hz = 24'000)
{
    SpeechStream stream(raw_hz);
    signals::Samples out;
    for (std::size_t at = 0; at < sent.size(); at += piece_bytes) {
        const std::string piece = sent.substr(at, piece_bytes);
        if (const auto fed = stream.feed(std::as_bytes(std::span(piece)), out); !fed) return fed.error();
    }
    if (const auto finished = stream.finish(out); !finished) return finished.error();
    return out;
}

/// As services stream it: lengths not known.
std::string streamed_wav(const signals::Samples& samples, int hz, char length_byte)
{
    std::string wav = make_wav(samples, hz);
    wav.replace(4, 4, 4, length_byte);
    wav.replace(40, 4, 4, length_byte);
    return wav;
}

}  // namespace

TEST_CASE("headerless samples come out as they are, however the bytes are cut")
{
    const auto samples = signals::voice(5'000, -20);
    for (const std::size_t piece_bytes : {1U, 3U, 63U, 64U, 65U, 100'000U}) {
        const auto heard = read(bytes_of(samples), piece_bytes);
        REQUIRE(heard.has_value());
        CHECK(*heard == samples);
    }
    const auto odd = read(bytes_of(samples) + "x", 7);
    REQUIRE(odd.has_value());
    CHECK(*odd == samples);
    const auto few = read(bytes_of({1, 2, 3}), 100);
    REQUIRE(few.has_value());
    CHECK(*few == signals::Samples{1, 2, 3});
}

TEST_CASE("headerless samples of another rate are converted")
{
    for (const int hz : {16'000, 32'000, 48'000}) {
        const auto heard = read(bytes_of(signals::sine(440, hz, static_cast<std::size_t>(hz), -12)), 1'001, hz);
        REQUIRE(heard.has_value());
        CHECK(heard->size() == 24'000);
        CHECK(signals::rms_db(*heard) == Approx(-12).margin(0.3));
    }
}

TEST_CASE("a WAV's header tells rate and channels, and its length does not count")
{
    const auto samples = signals::sine(440, 24'000, 12'000, -12);
    for (const char length : {'\0', '\xFF', '\x01'})
        for (const std::size_t piece_bytes : {1U, 44U, 45U, 100'000U}) {
            const auto heard = read(streamed_wav(samples, 24'000, length), piece_bytes, 16'000);
            REQUIRE(heard.has_value());
            CHECK(*heard == samples);
        }
    const auto slow = read(make_wav(signals::sine(440, 16'000, 16'000, -12), 16'000), 333);
    REQUIRE(slow.has_value());
    CHECK(slow->size() == 24'000);

    signals::Samples both;
    for (const std::int16_t s : samples) both.insert(both.end(), {s, static_cast<std::int16_t>(-s / 2)});
    std::string stereo = make_wav(both, 24'000);
    stereo[22] = 2;
    const auto mono = read(stereo, 5);
    REQUIRE(mono.has_value());
    REQUIRE(mono->size() == samples.size());
    for (std::size_t i = 0; i < samples.size(); i += 100) CHECK((*mono)[i] == Approx(samples[i] / 4.0).margin(1));
}

TEST_CASE("a second WAV header at the start of a piece is no sound")
{
    const auto first = signals::sine(440, 24'000, 4'800, -12), second = signals::sine(660, 24'000, 2'400, -12);
    SpeechStream stream(24'000);
    signals::Samples out;
    for (const auto& samples : {first, second}) {
        const std::string wav = streamed_wav(samples, 24'000, '\0');
        REQUIRE(stream.feed(std::as_bytes(std::span(wav)), out).has_value());
    }
    REQUIRE(stream.finish(out).has_value());
    auto both = first;
    both.insert(both.end(), second.begin(), second.end());
    CHECK(out == both);
}

TEST_CASE("other kinds of files are told, with all that came of them")
{
    const std::string mp3 = encode_mp3(signals::voice(24'000, -20), 24'000).value();
    for (const std::size_t piece_bytes : {1U, 100U, 100'000U}) {
        SpeechStream stream(24'000);
        signals::Samples out;
        std::size_t fed = 0;
        for (; fed < mp3.size() && !stream.foreign(); fed += piece_bytes) {
            const std::string piece = mp3.substr(fed, piece_bytes);
            REQUIRE(stream.feed(std::as_bytes(std::span(piece)), out).has_value());
        }
        REQUIRE(stream.foreign() == Container::mp3);
        CHECK(stream.take_foreign() == mp3.substr(0, fed));
        CHECK(stream.finish(out).has_value());
        CHECK(out.empty());
    }
    SpeechStream ogg(24'000);
    signals::Samples out;
    const std::string little = "OggS";
    REQUIRE(ogg.feed(std::as_bytes(std::span(little)), out).has_value());
    CHECK_FALSE(ogg.foreign().has_value());
    REQUIRE(ogg.finish(out).has_value());
    CHECK(ogg.foreign() == Container::ogg);
}

TEST_CASE("samples that begin like an MP3 frame are samples")
{
    auto samples = signals::voice(8'000, -20);
    samples[0] = static_cast<std::int16_t>(0xFBFF);
    samples[1] = static_cast<std::int16_t>(0x6490);
    const auto heard = read(bytes_of(samples), 500);
    REQUIRE(heard.has_value());
    CHECK(*heard == samples);
}

TEST_CASE("nothing, a header alone and a broken header are errors")
{
    const auto nothing = read("", 1);
    REQUIRE_FALSE(nothing.has_value());
    CHECK(nothing.error().code == Code::invalid_audio);
    CHECK_FALSE(read(make_wav({}, 24'000), 10).has_value());
    CHECK_FALSE(read("x", 10).has_value());

    std::string floats = make_wav(signals::Samples(100), 24'000);
    floats[20] = 3;
    const auto refused = read(floats, 10);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Code::invalid_audio);
    CHECK(refused.error().message.find("not PCM") != std::string::npos);

    const auto slow = read(make_wav(signals::Samples(100), 1), 10);
    REQUIRE_FALSE(slow.has_value());
    CHECK(slow.error().message.find("1 Hz") != std::string::npos);

    std::string endless = make_wav(signals::Samples(100), 24'000).substr(0, 36) + "LIST";
    endless.append(4, '\x7F').append(200'000, 'x');
    CHECK_FALSE(read(endless, 1'000).has_value());
}
