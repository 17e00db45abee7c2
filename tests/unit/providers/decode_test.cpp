#include "repartee/providers/decode.hpp"

#include "../audio/signals.hpp"
#include "repartee/audio/mp3.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/providers/program.hpp"
#include "run.hpp"

#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

using namespace repartee;
using namespace repartee::providers;
using audio::Container;
using audio::detect_container;
namespace signals = repartee::audio::signals;
using test::ok;
using test::run;

namespace {

class Folder {
public:
    Folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "repartee_decode_XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;

    std::string path(const std::string& name) const { return (path_ / name).string(); }
    std::string read(const std::string& name) const
    {
        std::ifstream in(path(name), std::ios::binary);
        std::stringstream bytes;
        bytes << in.rdbuf();
        return bytes.str();
    }
    /// A program that takes the arguments and does something else.
    std::string script(const std::string& name, const std::string& text) const
    {
        std::ofstream(path(name)) << "#!/bin/sh\n" << text << "\n";
        std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
        return path(name);
    }

private:
    std::filesystem::path path_;
};

const signals::Samples& speech()
{
    static const signals::Samples samples = signals::voice(24'000 * 2, -20);
    return samples;
}

/// Two seconds of speech as ffmpeg writes them.
std::string made_by_ffmpeg(const std::string& name, std::vector<std::string> codec)
{
    const Folder folder;
    ProgramRequest request;
    request.argv = {"ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "wav", "-i", "/proc/self/fd/0"};
    request.argv.insert(request.argv.end(), codec.begin(), codec.end());
    request.argv.push_back(folder.path(name));
    request.input = audio::make_wav(speech(), 24'000);
    const auto made = run(run_program(std::move(request), [](std::span<const std::byte>) {}, {}));
    if (!made) throw std::runtime_error(made.error().message);
    return folder.read(name);
}

Container container_of(const std::string& file)
{
    return detect_container(std::as_bytes(std::span(file)).first(std::min(file.size(), std::size_t{4'096})));
}

Result<signals::Samples> decode(std::string file, DecodeSettings settings = {})
{
    AudioDecoder decoder(std::move(settings));
    const Container container = container_of(file);
    return run(decoder.decode(std::move(file), container, {}));
}

void check_speech(const Result<signals::Samples>& decoded, double db = -20)
{
    REQUIRE(ok(decoded));
    CHECK(static_cast<double>(decoded->size()) / 24'000 == Approx(2).margin(0.12));
    CHECK(signals::rms_db(*decoded) == Approx(db).margin(1.5));
}

void check_refused(const Result<signals::Samples>& decoded, Code code, const std::string& words = {})
{
    REQUIRE_FALSE(decoded.has_value());
    INFO(decoded.error().message);
    CHECK(decoded.error().code == code);
    CHECK(decoded.error().message.find(words) != std::string::npos);
    CHECK(decoded.error().message.find("/proc/") == std::string::npos);
    CHECK(decoded.error().message.size() < 500);
}

bool no_children_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

}  // namespace

TEST_CASE("files of every known kind become samples")
{
    struct Row {
        const char* name;
        std::vector<std::string> codec;
        Container container;
        double db = -20;
    };
    const Row rows[] = {
        {"a.webm", {"-c:a", "libopus"}, Container::webm},
        {"a.ogg", {"-c:a", "libopus"}, Container::ogg},
        {"v.ogg", {"-c:a", "libvorbis", "-ar", "48000"}, Container::ogg},
        {"a.m4a", {"-c:a", "aac"}, Container::mp4},  // with its index at the end
        {"f.mp4", {"-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"}, Container::mp4},
        {"a.flac", {"-c:a", "flac"}, Container::flac},
        {"a.aac", {"-c:a", "aac"}, Container::aac},
        {"f.wav", {"-c:a", "pcm_f32le"}, Container::wav},
        {"s.wav", {"-ac", "2", "-ar", "44100"}, Container::wav, -23},  // ffmpeg's way from one channel to two
        {"a.mp3", {"-c:a", "libmp3lame", "-ar", "44100"}, Container::mp3},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::string file = made_by_ffmpeg(row.name, row.codec);
        CHECK(container_of(file) == row.container);
        check_speech(decode(file), row.db);
    }
    check_speech(decode(audio::encode_mp3(speech(), 24'000).value()));
    CHECK(no_children_left());
}

TEST_CASE("WAV with 16-bit PCM needs no program, and is not longer than its header says")
{
    DecodeSettings settings;
    settings.program = "no-such-program-anywhere";
    check_speech(decode(audio::make_wav(speech(), 24'000), settings));
    check_speech(decode(audio::make_wav(signals::voice(24'000 * 2, -20), 24'000) + "LIST\x20" + std::string(100'000, 'x'), settings));
    const auto exact = decode(audio::make_wav(speech(), 24'000), settings);
    REQUIRE(ok(exact));
    CHECK((*exact == speech()));
    check_refused(decode(audio::make_wav({}, 24'000), settings), Code::invalid_audio, "no sound");
    AudioDecoder decoder(settings);
    CHECK_FALSE(decoder.available());
    CHECK(AudioDecoder(DecodeSettings{}).available());
}

TEST_CASE("of a recording that broke off, what came is used")
{
    const std::string webm = made_by_ffmpeg("a.webm", {"-c:a", "libopus", "-cluster_time_limit", "100"});
    const auto half = decode(webm.substr(0, webm.size() / 2));
    REQUIRE(ok(half));
    CHECK(half->size() >= 24'000 / 2);
    const std::string mp3 = audio::encode_mp3(speech(), 24'000).value();
    const auto half_mp3 = decode(mp3.substr(0, mp3.size() / 2));
    REQUIRE(ok(half_mp3));
    CHECK(half_mp3->size() >= 24'000 / 2);
}

TEST_CASE("what is no audio is refused with a reason")
{
    check_refused(decode("hello"), Code::invalid_audio, "no known kind");
    check_refused(decode(""), Code::invalid_audio, "no known kind");
    check_refused(decode("OggS" + std::string(1'000, '\7')), Code::invalid_audio, "cannot be read as ogg");
    const std::string m4a = made_by_ffmpeg("a.m4a", {"-c:a", "aac"});
    check_refused(decode(m4a.substr(0, m4a.size() / 2)), Code::invalid_audio, "cannot be read as m4a");
    std::string no_pcm = audio::make_wav(speech(), 24'000);
    no_pcm[20] = 0x55;
    check_refused(decode(no_pcm), Code::invalid_audio);
}

TEST_CASE("a playlist that calls itself something else opens no other file")
{
    const Folder folder;
    const std::string secret = folder.path("secret.wav");
    const std::string wav = audio::make_wav(speech(), 24'000);
    std::ofstream(secret, std::ios::binary) << wav;
    AudioDecoder decoder{DecodeSettings{}};
    const std::string playlists[] = {
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://" + secret + "\n",
        "ffconcat version 1.0\nfile '" + secret + "'\n",
    };
    for (const std::string& playlist : playlists)
        for (const Container container :
             {Container::mp3, Container::ogg, Container::webm, Container::mp4, Container::flac, Container::aac, Container::wav})
            check_refused(run(decoder.decode(playlist, container, {})), Code::invalid_audio);
}

TEST_CASE("a recording that is too long is refused")
{
    DecodeSettings settings;
    settings.audio_ms_max = 1'000;
    check_refused(decode(audio::make_wav(speech(), 24'000), settings), Code::too_large, "longer than 1 seconds");
    check_refused(decode(audio::encode_mp3(speech(), 24'000).value(), settings), Code::too_large, "longer than 1 seconds");
}

TEST_CASE("a missing program is a matter of configuration")
{
    DecodeSettings settings;
    settings.program = "no-such-program-anywhere";
    check_refused(decode(audio::encode_mp3(speech(), 24'000).value(), settings), Code::not_configured, "apt-get install ffmpeg");
}

TEST_CASE("a program that hangs, writes without end, dies or gets no memory harms nobody")
{
    const Folder folder;
    const std::string mp3 = audio::encode_mp3(speech(), 24'000).value();
    DecodeSettings settings;
    settings.limit = std::chrono::milliseconds(200);
    settings.program = folder.script("hangs", "exec sleep 1000");
    check_refused(decode(mp3, settings), Code::timeout);

    settings.limit = std::chrono::seconds(30);
    settings.audio_ms_max = 2'000;
    settings.program = folder.script("endless", "exec cat /dev/zero");
    check_refused(decode(mp3, settings), Code::too_large);
    settings.program = folder.script("silent", "exit 0");
    check_refused(decode(mp3, settings), Code::invalid_audio, "no sound");
    settings.program = folder.script("crashes", "kill -SEGV $$");
    check_refused(decode(mp3, settings), Code::invalid_audio, "signal 11");
    settings.program = folder.script("odd", "printf abc");
    const auto odd = decode(mp3, settings);
    REQUIRE(ok(odd));
    CHECK(odd->size() == 1);
    CHECK(no_children_left());

    DecodeSettings small;
    small.memory_bytes_max = 64 << 20;
    CHECK_FALSE(decode(mp3, small).has_value());
}

TEST_CASE("a stop ends a decoding at once, whether it runs or waits for a place")
{
    const Folder folder;
    DecodeSettings settings;
    settings.programs_max = 1;
    settings.program = folder.script("hangs", "exec sleep 1000");
    const std::string mp3 = audio::encode_mp3(speech(), 24'000).value();
    AudioDecoder decoder(settings);

    asio::io_context context;
    std::stop_source stop;
    std::vector<Code> ends;
    for (int i = 0; i < 2; ++i)
        asio::co_spawn(context, decoder.decode(mp3, Container::mp3, stop.get_token()),
                       [&](std::exception_ptr, Result<signals::Samples> decoded) { ends.push_back(decoded ? Code::ok : decoded.error().code); });
    asio::steady_timer timer(context, std::chrono::milliseconds(100));
    std::chrono::steady_clock::time_point stopped;
    timer.async_wait([&](boost::system::error_code) {
        stopped = std::chrono::steady_clock::now();
        stop.request_stop();
    });
    context.run();
    CHECK(std::chrono::steady_clock::now() - stopped < std::chrono::seconds(2));
    CHECK(ends == std::vector<Code>{Code::cancelled, Code::cancelled});
    CHECK(no_children_left());

    const auto before = run(decoder.decode(audio::make_wav(speech(), 24'000), Container::wav, stop.get_token()));
    REQUIRE_FALSE(before.has_value());
    CHECK(before.error().code == Code::cancelled);
}

TEST_CASE("who waits longer than the limit for a place is told that the server is busy")
{
    const Folder folder;
    DecodeSettings settings;
    settings.programs_max = 1;
    settings.limit = std::chrono::milliseconds(300);
    settings.program = folder.script("hangs", "exec sleep 1000");
    const std::string mp3 = audio::encode_mp3(speech(), 24'000).value();
    AudioDecoder decoder(settings);
    asio::io_context context;
    std::vector<Code> ends;
    for (int i = 0; i < 2; ++i)
        asio::co_spawn(context, decoder.decode(mp3, Container::mp3, {}),
                       [&](std::exception_ptr, Result<signals::Samples> decoded) { ends.push_back(decoded ? Code::ok : decoded.error().code); });
    context.run();
    REQUIRE(ends.size() == 2);
    for (const Code code : ends) CHECK((code == Code::timeout || code == Code::busy));
    CHECK(no_children_left());
}
