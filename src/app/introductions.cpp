#include "repartee/app/introductions.hpp"

#include "introduction_voice.hpp"

#include "repartee/app/character_loader.hpp"
#include "repartee/audio/mp3.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/store/character_repository.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace repartee::app {
namespace {

namespace fs = std::filesystem;
using characters::Character;

constexpr std::string_view own_audio_prefix = "/static/audio/";

// Seen at once also through a pipe: a voice may take half a minute a character.
void show(std::string_view text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

int refuse(const Error& error)
{
    show("The introductions cannot be made. " + error.message + "\n");
    return 1;
}

Error file_failure(const std::string& what, const fs::path& path)
{
    return Error{Code::storage, fmt::format("Cannot {} {}: {}. Check the folder, its permissions and the free space.", what, path.string(),
                                            std::strerror(errno))};
}

Result<void> write_and_sync(int file, std::string_view bytes, const fs::path& path)
{
    while (!bytes.empty()) {
        const ssize_t n = ::write(file, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) return file_failure("write", path);
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(file) != 0) return file_failure("write", path);
    return {};
}

/// Whole or not at all: a server that runs meanwhile never serves half a file.
Result<void> replace_file(const fs::path& path, std::string_view bytes)
{
    const fs::path draft = path.parent_path() / ("." + path.filename().string() + ".draft");
    const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return file_failure("create", draft);
    auto written = write_and_sync(file, bytes, draft);
    ::close(file);
    if (written && ::rename(draft.c_str(), path.c_str()) != 0) written = file_failure("replace", path);
    if (!written) ::unlink(draft.c_str());
    return written;
}

bool is_nonempty_file(const fs::path& path)
{
    std::error_code ignored;
    return fs::is_regular_file(path, ignored) && fs::file_size(path, ignored) > 0;
}

struct Choice {
    std::vector<Character> characters;
    std::vector<std::string> unknown;
};

Choice choose(const std::vector<Character>& all, const std::vector<std::string>& wanted)
{
    if (wanted.empty()) return {all, {}};
    Choice choice;
    const auto is_wanted = [&](const Character& character) { return std::ranges::find(wanted, character.id) != wanted.end(); };
    std::ranges::copy_if(all, std::back_inserter(choice.characters), is_wanted);
    const auto is_unknown = [&](const std::string& id) { return std::ranges::find(all, id, &Character::id) == all.end(); };
    std::ranges::copy_if(wanted, std::back_inserter(choice.unknown), is_unknown);
    return choice;
}

class Introductions {
public:
    Introductions(store::CharacterRepository& repository, fs::path folder, bool force)
        : repository_(repository), folder_(std::move(folder)), force_(force)
    {
    }

    bool is_lacking(const Character& character) const
    {
        const bool elsewhere = !character.introduction_audio_url.empty() && !character.introduction_audio_url.starts_with(own_audio_prefix);
        return force_ || !(elsewhere || is_nonempty_file(file_of(character)));
    }

    /// What to say behind "…".
    Result<std::string> make(IntroductionVoice& voice, const Character& character)
    {
        const auto samples = voice.speak(character);
        if (!samples) return samples.error();
        const auto mp3 = audio::encode_mp3(*samples, audio::realtime_hz);
        if (!mp3) return mp3.error();
        if (const auto written = replace_file(file_of(character), *mp3); !written) return written.error();
        if (const auto stored = repository_.set_introduction_audio_url(character.id, url_of(character)); !stored) return stored.error();
        const double seconds = static_cast<double>(samples->size()) / audio::realtime_hz;
        return fmt::format("{:.1f} s, {} KiB", seconds, (mp3->size() + 1023) / 1024);
    }

    /// The file outlives a database that was made anew: then only the address is missing.
    Result<std::string> keep(const Character& character)
    {
        if (character.introduction_audio_url.empty())
            if (const auto stored = repository_.set_introduction_audio_url(character.id, url_of(character)); !stored) return stored.error();
        return "already there";
    }

private:
    static std::string file_name(const Character& character) { return character.id + "_intro.mp3"; }
    static std::string url_of(const Character& character) { return std::string(own_audio_prefix) + file_name(character); }
    fs::path file_of(const Character& character) const { return folder_ / file_name(character); }

    store::CharacterRepository& repository_;
    fs::path folder_;
    bool force_;
};

Result<std::vector<Character>> load(const Config& config, store::Database& database)
{
    characters::Catalogue catalogue;
    if (const auto loaded = load_characters(config.characters.dir, database, catalogue); !loaded) return loaded.error();
    return catalogue.snapshot()->all();
}

}  // namespace

int make_introductions(const Config& config, const IntroductionOptions& options)
{
    const fs::path folder = fs::path(config.server.data_dir) / "audio";
    std::error_code failure;
    fs::create_directories(folder, failure);
    if (failure)
        return refuse({Code::storage,
                       fmt::format("The folder {} cannot be made: {}. Check server.data_dir.", folder.string(), failure.message())});
    auto database = store::Database::open(config.server.data_dir + "/repartee.db");
    if (!database) return refuse(database.error());
    const auto all = load(config, *database);
    if (!all) return refuse(all.error());

    const Choice choice = choose(*all, options.characters);
    for (const std::string& id : choice.unknown) show(fmt::format("There is no character \"{}\".\n", id));
    store::CharacterRepository repository(*database);
    Introductions introductions(repository, folder, options.force);
    std::unique_ptr<IntroductionVoice> voice;
    if (std::ranges::any_of(choice.characters, [&](const Character& character) { return introductions.is_lacking(character); })) {
        auto made = IntroductionVoice::create(config);
        if (!made) return refuse(made.error());
        voice = std::move(*made);
    }

    std::size_t number = 0, made = 0, kept = 0, failed = choice.unknown.size();
    for (const Character& character : choice.characters) {
        show(fmt::format("[{}/{}] {} … ", ++number, choice.characters.size(), character.id));
        const bool lacking = voice && introductions.is_lacking(character);
        const auto outcome = lacking ? introductions.make(*voice, character) : introductions.keep(character);
        show((outcome ? *outcome : "failed. " + outcome.error().message) + "\n");
        ++(!outcome ? failed : lacking ? made : kept);
    }
    show(fmt::format("{} made, {} already there, {} failed. The files are in {}.\n", made, kept, failed, folder.string()));
    return failed == 0 ? 0 : 1;
}

}  // namespace repartee::app
