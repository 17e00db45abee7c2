#include "repartee/audio/wav.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <cstring>
#include <memory>
#include <optional>
#include <string>

using namespace repartee;
using namespace repartee::audio;

namespace {

std::string little_endian(std::uint64_t value, int bytes)
{
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
}

std::string chunk(std::string tag, const std::string& body, std::optional<std::uint32_t> said_size = std::nullopt)
{
    std::string text = tag + little_endian(said_size.value_or(static_cast<std::uint32_t>(body.size())), 4) + body;
    if (body.size() % 2) text += '\0';
    return text;
}

std::string fmt(int tag, int channels, std::uint32_t hz, int bits)
{
    const int frame = channels * bits / 8;
    return little_endian(static_cast<std::uint64_t>(tag), 2) + little_endian(static_cast<std::uint64_t>(channels), 2) +
           little_endian(hz, 4) + little_endian(hz * static_cast<std::uint64_t>(frame), 4) +
           little_endian(static_cast<std::uint64_t>(frame), 2) + little_endian(static_cast<std::uint64_t>(bits), 2);
}

std::string riff(const std::string& chunks) { return "RIFF" + little_endian(chunks.size() + 4, 4) + "WAVE" + chunks; }

Result<WavFormat> parse(const std::string& file) { return parse_wav(std::as_bytes(std::span(file))); }

}  // namespace

TEST_CASE("a WAV file that was made is read back, sample by sample")
{
    const auto samples = signals::sine(440, 22'050, 1'001, -10);
    const std::string file = make_wav(samples, 22'050);
    CHECK(file.size() == 44 + 2'002);
    const auto format = parse(file);
    REQUIRE(format.has_value());
    CHECK(format->sample_rate_hz == 22'050);
    CHECK(format->channels == 1);
    CHECK(format->bits_per_sample == 16);
    CHECK(format->data_offset == 44);
    REQUIRE(format->data_bytes == 2'002);
    CHECK(std::memcmp(file.data() + format->data_offset, samples.data(), format->data_bytes) == 0);
}

TEST_CASE("a WAV file that was made has the header other programs expect")
{
    const std::int16_t samples[] = {1, -2};
    const std::string expected = "RIFF" + little_endian(40, 4) + "WAVEfmt " + little_endian(16, 4) + fmt(1, 1, 24'000, 16) + "data" +
                                 little_endian(4, 4) + std::string("\x01\x00\xFE\xFF", 4);
    CHECK(make_wav(samples, 24'000) == expected);
    CHECK(parse(make_wav({}, 8'000))->data_bytes == 0);
}

TEST_CASE("unknown chunks around the samples are skipped, odd ones with their padding")
{
    const std::string long_fmt = fmt(1, 2, 48'000, 16) + little_endian(0, 2);
    const std::string file = riff(chunk("LIST", "odd") + chunk("fmt ", long_fmt) + chunk("fact", "1234") + chunk("data", "aabbccdd") +
                                  chunk("id3 ", "tail"));
    const auto format = parse(file);
    REQUIRE(format.has_value());
    CHECK(format->channels == 2);
    CHECK(format->sample_rate_hz == 48'000);
    CHECK(format->data_bytes == 8);
    CHECK(file.substr(format->data_offset, 8) == "aabbccdd");
}

TEST_CASE("an extensible header with the PCM sub-format is PCM")
{
    const std::string before_tag = little_endian(22, 2) + little_endian(16, 2) + little_endian(4, 4);
    const std::string extension = before_tag + little_endian(1, 2) + std::string(14, 'g');
    CHECK(parse(riff(chunk("fmt ", fmt(0xFFFE, 1, 16'000, 16) + extension) + chunk("data", "xx"))).has_value());
    const std::string of_floats = before_tag + little_endian(3, 2) + std::string(14, 'g');
    CHECK_FALSE(parse(riff(chunk("fmt ", fmt(0xFFFE, 1, 16'000, 16) + of_floats) + chunk("data", "xx"))).has_value());
}

TEST_CASE("the data size of a streamed or cut file is what is there, in whole frames")
{
    const std::string mono = chunk("fmt ", fmt(1, 1, 16'000, 16));
    const std::string stereo = chunk("fmt ", fmt(1, 2, 16'000, 16));
    CHECK(parse(riff(mono + chunk("data", "123456", 0)))->data_bytes == 6);
    CHECK(parse(riff(mono + chunk("data", "123456", 0xFFFF'FFFF)))->data_bytes == 6);
    CHECK(parse(riff(mono + chunk("data", "123456", 0x7FFF'F000)))->data_bytes == 6);  // as espeak-ng writes to a pipe
    CHECK(parse(riff(mono + chunk("data", "123456", 4)))->data_bytes == 4);
    CHECK(parse(riff(mono + chunk("data", "12345", 0xFFFF'FFFF)).substr(0, 49))->data_bytes == 4);
    CHECK(parse(riff(stereo + chunk("data", "123456")))->data_bytes == 4);
    CHECK(parse(riff(mono + chunk("data", "")))->data_bytes == 0);
}

TEST_CASE("what is not a PCM16 WAV file is refused, and the message names why")
{
    struct Row {
        std::string file;
        std::string_view reason;
    };
    const std::string data = chunk("data", "1234");
    const Row rows[] = {
        {"", "not a WAV file"},
        {"RIFF", "not a WAV file"},
        {"ID3\x03 some mp3 file, perhaps", "not a WAV file"},
        {"RIFX" + little_endian(4, 4) + "WAVE", "not a WAV file"},
        {riff(""), "no fmt chunk"},
        {riff(data), "before its fmt"},
        {riff(chunk("fmt ", fmt(1, 1, 8'000, 16))), "no data chunk"},
        {riff(chunk("fmt ", "short") + data), "cut short"},
        {riff(chunk("fmt ", fmt(3, 1, 8'000, 32)) + data), "format tag 3"},
        {riff(chunk("fmt ", fmt(7, 1, 8'000, 8)) + data), "format tag 7"},
        {riff(chunk("fmt ", fmt(1, 1, 8'000, 24)) + data), "24 bits"},
        {riff(chunk("fmt ", fmt(1, 1, 8'000, 8)) + data), "8 bits"},
        {riff(chunk("fmt ", fmt(1, 0, 8'000, 16)) + data), "0 channels"},
        {riff(chunk("fmt ", fmt(1, 1'000, 8'000, 16)) + data), "1000 channels"},
        {riff(chunk("fmt ", fmt(1, 1, 0, 16)) + data), "0 Hz"},
        {riff(chunk("fmt ", fmt(1, 1, 0xFFFF'FFFF, 16)) + data), "4294967295 Hz"},
        {riff(chunk("fmt ", fmt(1, 1, 8'000, 16)) + chunk("LIST", "x", 0xFFFF'FFFF) + data), "no data chunk"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.reason);
        const auto format = parse(row.file);
        REQUIRE_FALSE(format.has_value());
        CHECK(format.error().code == Code::invalid_audio);
        CHECK(format.error().message.find(row.reason) != std::string::npos);
    }
}

TEST_CASE("a WAV file cut anywhere is either refused or has its samples inside")
{
    const std::string file = riff(chunk("LIST", "note") + chunk("fmt ", fmt(1, 1, 8'000, 16)) + chunk("data", std::string(64, 's')));
    std::size_t accepted = 0;
    for (std::size_t length = 0; length <= file.size(); ++length) {
        const auto bytes = std::make_unique<std::byte[]>(length);
        std::memcpy(bytes.get(), file.data(), length);
        const auto format = parse_wav({bytes.get(), length});
        if (!format) continue;
        ++accepted;
        CAPTURE(length);
        REQUIRE(format->data_offset + format->data_bytes <= length);
    }
    CHECK(accepted == 65);
}

TEST_CASE("random damage to a WAV header never makes it point outside of the file")
{
    signals::Noise noise(5);
    const std::string file = make_wav(signals::white_noise(50, -20), 16'000);
    for (int round = 0; round < 20'000; ++round) {
        std::string damaged = file.substr(0, noise.below(file.size() + 1));
        for (std::size_t n = noise.below(4); n > 0 && !damaged.empty(); --n)
            damaged[noise.below(std::min<std::size_t>(damaged.size(), 48))] = static_cast<char>(noise.bits());
        const auto format = parse(damaged);
        if (format) REQUIRE(format->data_offset + format->data_bytes <= damaged.size());
    }
}
