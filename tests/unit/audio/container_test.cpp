#include "repartee/audio/container.hpp"

#include "repartee/audio/mp3.hpp"
#include "repartee/audio/reply_encoder.hpp"
#include "repartee/audio/wav.hpp"
#include "signals.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee::audio;
using namespace std::string_literals;

namespace {

Container detect(const std::string& bytes) { return detect_container(std::as_bytes(std::span(bytes))); }

}  // namespace

TEST_CASE("files are known by their first bytes")
{
    struct Row {
        std::string bytes;
        Container container;
    };
    const Row rows[] = {
        {"RIFF\x24\0\0\0WAVEfmt "s, Container::wav},
        {"RF64\xFF\xFF\xFF\xFFWAVEds64"s, Container::wav},
        {"RIFF\x24\0\0\0AVI LIST"s, Container::unknown},
        {"OggS\0\x02"s, Container::ogg},
        {"fLaC\0\0\0\x22"s, Container::flac},
        {"\0\0\0\x20"s + "ftypM4A ", Container::mp4},
        {"\0\0\0\x18"s + "ftypiso5", Container::mp4},
        {"\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x84webm\x42\x87"s, Container::webm},
        {"\x1A\x45\xDF\xA3\xA3\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x88matroska"s, Container::webm},
        {"\x1A\x45\xDF\xA3\x9F\x42\x82\x84other"s, Container::unknown},
        {"\x1A\x45\xDF\xA3\x9F\x42\x82"s, Container::unknown},
        {"ID3\x04\0\0\0\0\0\x23TSSE"s, Container::mp3},
        {"ID3\x04\0\0\xFF\0\0\x23"s, Container::unknown},
        {"\xFF\xFB\x90\x64"s, Container::mp3},
        {"\xFF\xF3\x84\xC4"s, Container::mp3},
        {"\xFF\xFB\x90\x64"s + std::string(600, 'x'), Container::unknown},  // no second frame where it must be
        {"\xFF\xFB\xF0\x64"s, Container::unknown},                          // no such bit rate
        {"\xFF\xF1\x50\x80\x02\x1F\xFC"s, Container::aac},
        {"\xFF\xF9\x50\x80\x02\x1F\xFC"s, Container::aac},
        {"\xFF\xF1\x50\x80\x02\x1F\xFC"s + std::string(600, 'x'), Container::unknown},
        {"#EXTM3U\nhttp://example.com/"s, Container::unknown},
        {"<html>"s, Container::unknown},
        {"\xFF"s, Container::unknown},
        {""s, Container::unknown},
        {std::string(64, '\0'), Container::unknown},
    };
    for (const Row& row : rows) {
        INFO(row.bytes.substr(0, 16));
        CHECK(detect(row.bytes) == row.container);
    }
}

TEST_CASE("what our own encoders make is known, by its first 64 bytes and as a whole")
{
    const auto samples = signals::voice(24'000, -20);
    const std::pair<ReplyFormat, Container> rows[] = {
        {ReplyFormat::mp3, Container::mp3}, {ReplyFormat::wav, Container::wav},
        {ReplyFormat::opus, Container::ogg}, {ReplyFormat::pcm, Container::unknown}};
    for (const auto& [format, container] : rows) {
        const auto encoder = create_reply_encoder(format);
        REQUIRE(encoder.has_value());
        std::string file;
        REQUIRE((*encoder)->encode(samples, file).has_value());
        REQUIRE((*encoder)->finish(file).has_value());
        CHECK(detect(file) == container);
        CHECK(detect(file.substr(0, signature_bytes)) == container);
    }
    CHECK(detect(encode_mp3(samples, 24'000).value()) == Container::mp3);
    CHECK(detect(make_wav(samples, 24'000)) == Container::wav);
}

TEST_CASE("transcription services get the names that they know")
{
    CHECK(file_extension(Container::mp4) == "m4a");
    CHECK(content_type(Container::mp4) == "audio/mp4");
    CHECK(file_extension(Container::webm) == "webm");
    CHECK(content_type(Container::webm) == "audio/webm");
    CHECK(file_extension(Container::unknown).empty());
    CHECK(content_type(Container::unknown) == "application/octet-stream");
}
