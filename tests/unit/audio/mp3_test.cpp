#include "repartee/audio/mp3.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>
#include <lame/lame.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

using namespace repartee;
using namespace repartee::audio;

namespace {

struct Frame {
    int sample_rate_hz, bitrate_kbps, samples;
    std::size_t bytes;
};

/// Reads an MPEG layer III frame header; `bytes` 0 when it is none.
Frame frame_at(const std::string& mp3, std::size_t at)
{
    static constexpr int mpeg1_kbps[] = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0};
    static constexpr int mpeg2_kbps[] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
    static constexpr int mpeg1_hz[] = {44'100, 48'000, 32'000, 0};
    if (at + 4 > mp3.size()) return {};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(mp3[at + i])); };
    if (byte(0) != 0xFF || (byte(1) & 0xE6) != 0xE2) return {};
    const unsigned version = byte(1) >> 3 & 3;  // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    if (version == 1) return {};
    const int* const bitrates_kbps = version == 3 ? mpeg1_kbps : mpeg2_kbps;
    const int kbps = bitrates_kbps[byte(2) >> 4];
    const int hz = mpeg1_hz[byte(2) >> 2 & 3] / (version == 3 ? 1 : version == 2 ? 2 : 4);
    if (kbps == 0 || hz == 0) return {};
    const int samples = version == 3 ? 1'152 : 576;
    const int padding = static_cast<int>(byte(2) >> 1 & 1);
    return {hz, kbps, samples, static_cast<std::size_t>(samples / 8 * kbps * 1000 / hz + padding)};
}

/// All frames, the first of which is the Info frame. Fails when something is between them.
std::vector<Frame> frames_of(const std::string& mp3)
{
    std::vector<Frame> frames;
    std::size_t at = 0;
    while (at < mp3.size()) {
        const Frame frame = frame_at(mp3, at);
        CAPTURE(at);
        REQUIRE(frame.bytes > 0);
        frames.push_back(frame);
        at += frame.bytes;
    }
    REQUIRE(at == mp3.size());
    return frames;
}

signals::Samples decoded(const std::string& mp3)
{
    std::string copy = mp3;
    signals::Samples all;
    const std::unique_ptr<hip_global_flags, int (*)(hip_t)> hip(hip_decode_init(), hip_decode_exit);
    std::array<std::int16_t, 1'152 * 4> left{}, right{};
    auto* bytes = reinterpret_cast<unsigned char*>(copy.data());
    for (const Frame& frame : frames_of(mp3)) {
        const int n = hip_decode(hip.get(), bytes, frame.bytes, left.data(), right.data());
        REQUIRE(n >= 0);
        all.insert(all.end(), left.begin(), left.begin() + n);
        bytes += frame.bytes;
    }
    return all;
}

std::uint32_t big_endian(const std::string& text, std::size_t at)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
    return value;
}

}  // namespace

TEST_CASE("an MP3 is a row of frames of the rate and bit rate asked for, behind an Info frame that counts them")
{
    const int rates[] = {8'000, 11'025, 12'000, 16'000, 22'050, 24'000, 32'000, 44'100, 48'000};
    for (int hz : rates) {
        CAPTURE(hz);
        const auto samples = signals::sine(440, hz, static_cast<std::size_t>(hz) * 2, -12);
        const auto mp3 = encode_mp3(samples, hz);
        REQUIRE(mp3.has_value());
        const auto frames = frames_of(*mp3);
        for (const Frame& frame : frames) {
            REQUIRE(frame.sample_rate_hz == hz);
            REQUIRE(frame.bitrate_kbps == 64);
        }
        const std::size_t info = mp3->find("Info");
        REQUIRE(info < frames[0].bytes);
        CHECK((big_endian(*mp3, info + 4) & 1) == 1);  // says how many frames follow
        CHECK(big_endian(*mp3, info + 8) == frames.size() - 1);

        const double audio_bytes = static_cast<double>(mp3->size() - frames[0].bytes);
        CHECK(audio_bytes >= 2 * 64'000 / 8);
        CHECK(audio_bytes <= 2 * 64'000 / 8 + 3.0 * static_cast<double>(frames.back().bytes) + 3);
    }
}

TEST_CASE("an MP3 decodes to the same sound, of the same length but for the codec's delay and padding")
{
    for (int hz : {16'000, 24'000, 44'100}) {
        CAPTURE(hz);
        const auto samples = signals::sine(440, hz, static_cast<std::size_t>(hz) * 3 / 2, -12);
        const auto mp3 = encode_mp3(samples, hz);
        REQUIRE(mp3.has_value());
        const auto frames = frames_of(*mp3);
        const auto sound = decoded(*mp3);
        const auto frame_samples = static_cast<std::size_t>(frames[0].samples);

        const std::size_t info = mp3->find("Info");
        const auto* padding = reinterpret_cast<const unsigned char*>(mp3->data() + info + 141);  // the LAME extension of the Info frame
        const std::size_t delay = static_cast<std::size_t>(padding[0]) << 4 | padding[1] >> 4;
        const std::size_t filler = (static_cast<std::size_t>(padding[1]) & 15) << 8 | padding[2];
        CHECK((frames.size() - 1) * frame_samples == samples.size() + delay + filler);

        CHECK(sound.size() + frame_samples >= (frames.size() - 1) * frame_samples);
        CHECK(sound.size() <= frames.size() * frame_samples);
        const auto middle = std::span(sound).subspan(sound.size() / 4, sound.size() / 2);
        CHECK(signals::rms_db(middle) == Approx(-12).margin(0.5));
    }
}

TEST_CASE("an MP3 of more samples than one call of the encoder takes is whole")
{
    const auto samples = signals::voice(24'000 * 10, -20);
    const auto mp3 = encode_mp3(samples, 24'000, 48);
    REQUIRE(mp3.has_value());
    const auto frames = frames_of(*mp3);
    CHECK(frames.size() >= samples.size() / 576 + 1);
    CHECK(frames.size() <= samples.size() / 576 + 5);
    CHECK(signals::rms_db(decoded(*mp3)) == Approx(-20).margin(1));
}

TEST_CASE("an MP3 of very little or no sound is still whole")
{
    for (std::size_t n : {0u, 1u, 575u, 576u, 577u}) {
        CAPTURE(n);
        const auto mp3 = encode_mp3(signals::sine(440, 24'000, n, -12), 24'000);
        REQUIRE(mp3.has_value());
        CHECK(frames_of(*mp3).size() >= 2);
    }
}

TEST_CASE("a rate or bit rate that MP3 does not have is refused, with the list of those it has")
{
    const signals::Samples samples(100);
    const auto no_rate = encode_mp3(samples, 96'000);
    REQUIRE_FALSE(no_rate.has_value());
    CHECK(no_rate.error().code == Code::invalid_value);
    CHECK(no_rate.error().message.find("96000") != std::string::npos);
    CHECK(no_rate.error().message.find("44100, 48000") != std::string::npos);

    const auto no_bitrate = encode_mp3(samples, 24'000, 320);
    REQUIRE_FALSE(no_bitrate.has_value());
    CHECK(no_bitrate.error().code == Code::invalid_value);
    CHECK(no_bitrate.error().message.find("144, 160") != std::string::npos);
    CHECK(encode_mp3(samples, 44'100, 320).has_value());
    CHECK_FALSE(encode_mp3(samples, 8'000, 96).has_value());
    CHECK_FALSE(encode_mp3(samples, 24'000, 0).has_value());
    CHECK_FALSE(encode_mp3(samples, -1).has_value());
}
