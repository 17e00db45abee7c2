#include "repartee/app/introductions.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/base/json.hpp"
#include "repartee/store/character_repository.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace repartee;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string read_file(const fs::path& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Standard output while it lives.
class Printed {
public:
    explicit Printed(fs::path file) : file_(std::move(file))
    {
        std::fflush(stdout);
        saved_ = ::dup(STDOUT_FILENO);
        std::FILE* const to = std::fopen(file_.c_str(), "w");
        ::dup2(::fileno(to), STDOUT_FILENO);
        std::fclose(to);
    }
    ~Printed() { restore(); }
    std::string text()
    {
        restore();
        return read_file(file_);
    }

private:
    void restore()
    {
        if (saved_ < 0) return;
        std::fflush(stdout);
        ::dup2(saved_, STDOUT_FILENO);
        ::close(std::exchange(saved_, -1));
    }
    fs::path file_;
    int saved_ = -1;
};

/// A data folder, a folder of characters, and a voice that speaks one second of the same for every text but "cannot be spoken".
struct Place {
    fs::path folder;
    app::Config config;

    Place()
    {
        std::string name = (fs::temp_directory_path() / "repartee-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        fs::create_directory(folder / "characters");
        config.server.data_dir = (folder / "data").string();
        config.characters.dir = (folder / "characters").string();
        config.local.espeak_program = (folder / "voice").string();
        write_file(folder / "speech.wav", audio::make_wav(std::vector<std::int16_t>(22'050, 5000), 22'050));
        write_file(folder / "voice", "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho \"$@\" >> calls\n"
                                     "if grep -q 'cannot be spoken'; then echo 'lost for words' >&2; exit 1; fi\ncat speech.wav\n");
        fs::permissions(folder / "voice", fs::perms::owner_all);
    }
    ~Place() { fs::remove_all(folder); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    void add_character(const std::string& id, const std::string& introduction) const
    {
        const json::object character{
            {"id", id},         {"name", id},
            {"language", "en"}, {"openai_voice", "cedar"},
            {"system_prompt", "Be kind."}, {"introduction_text", introduction},
            {"embedded_voice", json::object{{"pitch", 1.4}, {"speed", 2.0}}},
        };
        write_file(folder / "characters" / (id + ".json"), json::to_text(character));
    }

    struct Outcome {
        int status;
        std::string printed;
    };
    Outcome make(const app::IntroductionOptions& options = {}) const
    {
        Printed printed(folder / "printed");
        const int status = app::make_introductions(config, options);
        return {status, printed.text()};
    }

    std::string calls() const { return read_file(folder / "calls"); }
    std::string mp3(const std::string& id) const { return read_file(folder / "data" / "audio" / (id + "_intro.mp3")); }

    std::string stored_url(const std::string& id) const
    {
        auto database = store::Database::open(config.server.data_dir + "/repartee.db");
        REQUIRE(database.has_value());
        const auto all = store::CharacterRepository(*database).all();
        REQUIRE(all.has_value());
        for (const auto& character : *all)
            if (character.id == id) return character.introduction_audio_url;
        FAIL("no character " << id);
        return {};
    }
};

bool is_mp3(const std::string& bytes) { return bytes.size() > 1000 && bytes[0] == '\xFF' && (bytes[1] & '\xE0') == '\xE0'; }

}  // namespace

TEST_CASE("every character gets its MP3 and its address, once")
{
    Place place;
    place.add_character("ann", "I am Ann.");
    place.add_character("bob", "I am Bob.");

    const auto first = place.make();
    CHECK(first.status == 0);
    CHECK_THAT(first.printed, Contains("[1/2] ann … 1.0 s, ") && Contains("[2/2] bob … 1.0 s, "));
    CHECK_THAT(first.printed, Contains("2 made, 0 already there, 0 failed."));
    CHECK(is_mp3(place.mp3("ann")));
    CHECK(is_mp3(place.mp3("bob")));
    CHECK(place.stored_url("ann") == "/static/audio/ann_intro.mp3");
    CHECK(place.stored_url("bob") == "/static/audio/bob_intro.mp3");
    // 160 words a minute, times 2 for the character, times 0.95 for introductions.
    CHECK_THAT(place.calls(), Contains("-v en+f3 -p 74 -s 304"));

    const std::string calls = place.calls();
    const auto second = place.make();
    CHECK(second.status == 0);
    CHECK_THAT(second.printed, Contains("0 made, 2 already there, 0 failed."));
    CHECK(place.calls() == calls);
}

TEST_CASE("one that fails is told of and does not keep the others from theirs; the next run makes what lacks")
{
    Place place;
    place.add_character("ann", "This cannot be spoken.");
    place.add_character("bob", "I am Bob.");

    const auto first = place.make();
    CHECK(first.status == 1);
    CHECK_THAT(first.printed, Contains("[1/2] ann … failed. ") && Contains("lost for words"));
    CHECK_THAT(first.printed, Contains("1 made, 0 already there, 1 failed."));
    CHECK(place.mp3("ann").empty());
    CHECK(place.stored_url("ann").empty());
    CHECK(is_mp3(place.mp3("bob")));

    place.add_character("ann", "I am Ann.");
    const auto second = place.make();
    CHECK(second.status == 0);
    CHECK_THAT(second.printed, Contains("1 made, 1 already there, 0 failed."));
    CHECK(is_mp3(place.mp3("ann")));
}

TEST_CASE("characters can be named, and forced")
{
    Place place;
    place.add_character("ann", "I am Ann.");
    place.add_character("bob", "I am Bob.");

    CHECK(place.make({{"bob"}, false}).status == 0);
    CHECK(place.mp3("ann").empty());
    CHECK(is_mp3(place.mp3("bob")));

    const std::string calls = place.calls();
    CHECK_THAT(place.make({{"bob"}, true}).printed, Contains("[1/1] bob … 1.0 s, "));
    CHECK(place.calls().size() == 2 * calls.size());

    const auto unknown = place.make({{"ann", "carol"}, false});
    CHECK(unknown.status == 1);
    CHECK_THAT(unknown.printed, Contains("There is no character \"carol\".") && Contains("1 made, 0 already there, 1 failed."));
}

TEST_CASE("a file that outlived its database only gets its address back")
{
    Place place;
    place.add_character("ann", "I am Ann.");
    REQUIRE(place.make().status == 0);
    const std::string calls = place.calls();
    for (const char* file : {"repartee.db", "repartee.db-wal", "repartee.db-shm"}) fs::remove(place.folder / "data" / file);
    CHECK(place.make().status == 0);
    CHECK(place.calls() == calls);
    CHECK(place.stored_url("ann") == "/static/audio/ann_intro.mp3");
}

TEST_CASE("no chime is kept for an introduction: without a voice nothing is made, and the mend is named")
{
    Place place;
    place.add_character("ann", "I am Ann.");
    place.config.local.espeak_program = "no-such-program-anywhere";
    const auto missing = place.make();
    CHECK(missing.status == 1);
    CHECK_THAT(missing.printed, Contains("apt-get install espeak-ng"));
    CHECK(place.mp3("ann").empty());

    place.config.tts.provider = "openai";
    const auto keyless = place.make();
    CHECK(keyless.status == 1);
    CHECK_THAT(keyless.printed, Contains("OPENAI_API_KEY"));
}

TEST_CASE("a file that cannot be written is a failure of its character, and leaves no draft")
{
    Place place;
    place.add_character("ann", "I am Ann.");
    fs::create_directories(place.folder / "data" / "audio" / "ann_intro.mp3" / "in the way");
    const auto blocked = place.make();
    CHECK(blocked.status == 1);
    CHECK_THAT(blocked.printed, Contains("[1/1] ann … failed. Cannot replace"));
    CHECK(std::distance(fs::directory_iterator(place.folder / "data" / "audio"), fs::directory_iterator()) == 1);
    CHECK(place.stored_url("ann").empty());
}
