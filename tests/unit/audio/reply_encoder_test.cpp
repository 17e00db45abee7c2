#include "repartee/audio/reply_encoder.hpp"

#include "repartee/audio/wav.hpp"
#include "signals.hpp"

#include <catch2/catch.hpp>
#include <lame/lame.h>
#include <opus/opus.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

using namespace repartee;
using namespace repartee::audio;

namespace {

struct Encoded {
    std::string file;
    std::size_t samples_before_sound = 0;  ///< how many went in before the first byte that is no header came out
};

Encoded encode(ReplyFormat format, const signals::Samples& samples, std::size_t piece_samples, std::size_t header_bytes)
{
    auto encoder = create_reply_encoder(format);
    if (!encoder) throw std::runtime_error(encoder.error().message);
    Encoded encoded;
    for (std::size_t at = 0; at < samples.size(); at += piece_samples) {
        const auto piece = std::span(samples).subspan(at, std::min(piece_samples, samples.size() - at));
        if (!(*encoder)->encode(piece, encoded.file)) throw std::runtime_error("encode");
        if (encoded.samples_before_sound == 0 && encoded.file.size() > header_bytes) encoded.samples_before_sound = at + piece.size();
    }
    if (!(*encoder)->finish(encoded.file)) throw std::runtime_error("finish");
    return encoded;
}

signals::Samples decode_mp3(std::string mp3)
{
    signals::Samples all;
    const std::unique_ptr<hip_global_flags, int (*)(hip_t)> hip(hip_decode_init(), hip_decode_exit);
    std::array<std::int16_t, 1'152 * 4> left{}, right{};
    auto* bytes = reinterpret_cast<unsigned char*>(mp3.data());
    for (std::size_t at = 0; at < mp3.size(); at += 96) {
        const int n = hip_decode1(hip.get(), bytes + at, std::min<std::size_t>(96, mp3.size() - at), left.data(), right.data());
        if (n < 0) throw std::runtime_error("not MP3");
        all.insert(all.end(), left.begin(), left.begin() + n);
    }
    return all;
}

struct OggOpus {
    std::vector<std::string> packets;
    std::vector<std::size_t> page_ends;  ///< bytes of the file up to each page's end
    std::uint64_t last_granule = 0;
    bool ended = false;
};

OggOpus read_ogg(const std::string& file)
{
    OggOpus ogg;
    std::string packet;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(file.at(at)); };
    for (std::size_t at = 0; at < file.size();) {
        if (file.compare(at, 4, "OggS") != 0) throw std::runtime_error("no page");
        ogg.ended = (byte(at + 5) & 4) != 0;
        ogg.last_granule = 0;
        for (std::size_t i = 8; i-- > 0;) ogg.last_granule = ogg.last_granule << 8 | byte(at + 6 + i);
        const std::size_t segments = byte(at + 26);
        std::size_t body = at + 27 + segments;
        for (std::size_t i = 0; i < segments; ++i) {
            const std::size_t size = byte(at + 27 + i);
            packet += file.substr(body, size);
            body += size;
            if (size == 255) continue;
            ogg.packets.push_back(packet);
            packet.clear();
        }
        at = body;
        ogg.page_ends.push_back(at);
    }
    return ogg;
}

/// 48 kHz, the encoder's delay taken off, cut to the last granule.
signals::Samples decode_opus(const OggOpus& ogg)
{
    int error = OPUS_OK;
    const std::unique_ptr<OpusDecoder, void (*)(OpusDecoder*)> decoder(opus_decoder_create(48'000, 1, &error), opus_decoder_destroy);
    signals::Samples all;
    std::array<std::int16_t, 5'760> frame{};
    for (std::size_t i = 2; i < ogg.packets.size(); ++i) {
        const auto& packet = ogg.packets[i];
        const auto* const bytes = reinterpret_cast<const unsigned char*>(packet.data());
        const int n = opus_decode(decoder.get(), bytes, static_cast<int>(packet.size()), frame.data(), 5'760, 0);
        if (n < 0) throw std::runtime_error("not Opus");
        all.insert(all.end(), frame.begin(), frame.begin() + n);
    }
    const auto head = ogg.packets.at(0);
    const std::size_t delay = static_cast<unsigned char>(head[10]) | static_cast<std::size_t>(static_cast<unsigned char>(head[11])) << 8;
    all.resize(std::min<std::size_t>(all.size(), ogg.last_granule));
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(delay, all.size())));
    return all;
}

}  // namespace

TEST_CASE("an MP3 reply sounds as what went in, from 40 ms of sound on")
{
    const auto samples = signals::voice(24'000 * 2, -20);
    const auto encoded = encode(ReplyFormat::mp3, samples, 480, 0);
    CHECK(encoded.samples_before_sound <= 24 * 60);
    const auto sound = decode_mp3(encoded.file);
    CHECK(sound.size() >= samples.size());
    CHECK(sound.size() <= samples.size() + 576 * 5);
    CHECK(signals::rms_db(sound) == Approx(-20).margin(1));
    CHECK(encoded.file.size() == Approx(2 * 64'000 / 8).epsilon(0.1));

    // Whatever part of it came can be played.
    const auto half = decode_mp3(encoded.file.substr(0, encoded.file.size() / 2));
    CHECK(half.size() >= samples.size() / 2 - 576 * 3);
}

TEST_CASE("an Ogg/Opus reply sounds as what went in, a page every 100 ms")
{
    const auto samples = signals::voice(24'000 * 2, -20);
    const auto ogg = read_ogg(encode(ReplyFormat::opus, samples, 480, 1'000'000).file);
    REQUIRE(ogg.packets.size() > 3);
    CHECK(ogg.packets[0].starts_with("OpusHead"));
    CHECK(ogg.packets[1].starts_with("OpusTags"));
    CHECK(ogg.ended);
    const auto sound = decode_opus(ogg);
    CHECK(sound.size() == Approx(samples.size() * 2).margin(2));
    CHECK(signals::rms_db(sound) == Approx(-20).margin(1.5));
    CHECK(ogg.page_ends.size() >= 2 + 15);

    const auto encoded = encode(ReplyFormat::opus, samples, 240, ogg.page_ends[1]);
    CHECK(encoded.samples_before_sound <= 24 * 130);
}

TEST_CASE("a WAV reply begins with a header of unknown length, a PCM reply with its samples")
{
    const auto samples = signals::voice(4'800, -20);
    const std::string pcm(reinterpret_cast<const char*>(samples.data()), samples.size() * 2);
    const auto wav = encode(ReplyFormat::wav, samples, 480, 44).file;
    CHECK(wav.substr(4, 4) == "\xFF\xFF\xFF\xFF");
    CHECK(wav.substr(40, 4) == "\xFF\xFF\xFF\xFF");
    CHECK(wav.substr(44) == pcm);
    const auto format = parse_wav(std::as_bytes(std::span(wav)));
    REQUIRE(format.has_value());
    CHECK(format->sample_rate_hz == 24'000);
    CHECK(format->data_bytes == pcm.size());
    CHECK(encode(ReplyFormat::pcm, samples, 333, 0).file == pcm);
}

TEST_CASE("pieces of any size make the same sound")
{
    const auto samples = signals::voice(24'000, -20);
    for (const auto format : {ReplyFormat::mp3, ReplyFormat::wav, ReplyFormat::pcm}) {
        const auto whole = encode(format, samples, 1'000'000, 0).file;
        for (const std::size_t piece : {1U, 577U, 40'000U}) CHECK((encode(format, samples, piece, 0).file == whole));
    }
    const auto whole = decode_opus(read_ogg(encode(ReplyFormat::opus, samples, 1'000'000, 0).file));
    const auto pieces = decode_opus(read_ogg(encode(ReplyFormat::opus, samples, 577, 0).file));
    CHECK(pieces.size() == whole.size());
    CHECK(signals::rms_db(pieces) == Approx(signals::rms_db(whole)).margin(0.2));
}

TEST_CASE("a reply without a sample is a valid file")
{
    CHECK(decode_mp3(encode(ReplyFormat::mp3, {}, 1, 0).file).size() > 0);
    CHECK(signals::rms_db(decode_mp3(encode(ReplyFormat::mp3, {}, 1, 0).file)) < -80);
    const auto ogg = read_ogg(encode(ReplyFormat::opus, {}, 1, 0).file);
    CHECK(ogg.ended);
    CHECK(ogg.packets.size() >= 3);
    const auto wav = encode(ReplyFormat::wav, {}, 1, 0).file;
    const auto format = parse_wav(std::as_bytes(std::span(wav)));
    REQUIRE(format.has_value());
    CHECK(format->data_bytes == 0);
    CHECK(wav == make_wav({}, 24'000));
    CHECK(encode(ReplyFormat::pcm, {}, 1, 0).file.empty());
}

TEST_CASE("bit rates that a format does not have are refused")
{
    for (const int kbps : {0, -1, 65, 320, 1'000'000}) {
        const auto mp3 = create_reply_encoder(ReplyFormat::mp3, kbps);
        REQUIRE_FALSE(mp3.has_value());
        CHECK(mp3.error().code == Code::invalid_value);
    }
    CHECK_FALSE(create_reply_encoder(ReplyFormat::opus, 0).has_value());
    CHECK_FALSE(create_reply_encoder(ReplyFormat::opus, 257).has_value());
    CHECK(create_reply_encoder(ReplyFormat::opus, 24).has_value());
    CHECK(create_reply_encoder(ReplyFormat::mp3, 160).has_value());
    CHECK(create_reply_encoder(ReplyFormat::wav, 0).has_value());
}

TEST_CASE("a format is asked for by a word or an Accept header")
{
    CHECK(parse_reply_format("MP3") == ReplyFormat::mp3);
    CHECK(parse_reply_format("ogg") == ReplyFormat::opus);
    CHECK(parse_reply_format("pcm16") == ReplyFormat::pcm);
    CHECK_FALSE(parse_reply_format("flac").has_value());
    CHECK_FALSE(parse_reply_format("").has_value());

    struct Row {
        const char* accept;
        std::optional<ReplyFormat> format;
    };
    const Row rows[] = {
        {"audio/mpeg", ReplyFormat::mp3},
        {"Audio/X-WAV", ReplyFormat::wav},
        {"audio/ogg; codecs=opus", ReplyFormat::opus},
        {"audio/L16;rate=24000", ReplyFormat::pcm},
        {"audio/wav;q=0.5, audio/mpeg;q=0.8", ReplyFormat::mp3},
        {"audio/wav;q=0.8, audio/mpeg;q=0.8", ReplyFormat::wav},
        {"text/html, audio/ogg;q=0.1, */*", ReplyFormat::opus},
        {"audio/mpeg;q=0, audio/wav;q=0.001", ReplyFormat::wav},
        {"audio/mpeg; q=1.0", ReplyFormat::mp3},
        {"audio/mpeg;q=0.0", std::nullopt},
        {"audio/mpeg;q=x", std::nullopt},
        {"audio/*", std::nullopt},
        {"*/*", std::nullopt},
        {"", std::nullopt},
        {",,;;,q=1", std::nullopt},
    };
    for (const Row& row : rows) {
        INFO(row.accept);
        CHECK(accepted_reply_format(row.accept) == row.format);
    }
    CHECK(content_type(ReplyFormat::opus) == "audio/ogg; codecs=opus");
    CHECK(file_extension(ReplyFormat::opus) == "ogg");
    CHECK(content_type(ReplyFormat::mp3) == "audio/mpeg");
}
