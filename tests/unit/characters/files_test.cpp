#include "repartee/characters/files.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>

using namespace repartee;
using namespace repartee::characters;
namespace fs = std::filesystem;

namespace {

class Folder {
public:
    Folder()
    {
        std::string name = (fs::temp_directory_path() / "repartee_characters_XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;

    void write(const std::string& name, const std::string& text) const { std::ofstream(path / name, std::ios::binary) << text; }

    fs::path path;
};

std::string character_text(const std::string& id)
{
    return R"({"id":")" + id + R"(","name":"n","openai_voice":"sage","personality":"p","introduction_text":"i"})";
}

}  // namespace

TEST_CASE("a folder's characters are read by name, and a broken file hides nobody")
{
    const Folder folder;
    folder.write("bob.json", character_text("bob"));
    folder.write("alice.json", character_text("alice"));
    folder.write("broken.json", "{");
    folder.write("wrong_name.json", character_text("carol"));
    folder.write("notes.txt", "not a character");
    folder.write(".hidden.json", "{");
    fs::create_directory(folder.path / "folder.json");
    const auto loaded = load_directory(folder.path);
    REQUIRE(loaded.has_value());
    REQUIRE(loaded->characters.size() == 2);
    CHECK(loaded->characters[0].id == "alice");
    CHECK(loaded->characters[1].id == "bob");
    REQUIRE(loaded->problems.size() == 2);
    CHECK(loaded->problems[0].file == "broken.json");
    CHECK(loaded->problems[0].error.code == Code::invalid_json);
    CHECK(loaded->problems[1].file == "wrong_name.json");
    CHECK(loaded->problems[1].error.param == "id");
}

TEST_CASE("a file at the size limit is read and one byte beyond is refused")
{
    const Folder folder;
    std::string text = character_text("big");
    text.append(file_bytes_max - text.size(), ' ');
    folder.write("big.json", text);
    CHECK(load_directory(folder.path)->characters.size() == 1);
    folder.write("big.json", text + " ");
    const auto loaded = load_directory(folder.path);
    REQUIRE(loaded->problems.size() == 1);
    CHECK(loaded->problems[0].error.code == Code::too_large);
}

TEST_CASE("a named pipe does not hold the loader up")
{
    const Folder folder;
    REQUIRE(::mkfifo((folder.path / "pipe.json").c_str(), 0600) == 0);
    const auto loaded = load_directory(folder.path);
    REQUIRE(loaded.has_value());
    CHECK(loaded->characters.empty());
}

TEST_CASE("beyond the largest number of files the rest is left out, and said")
{
    const Folder folder;
    for (std::size_t i = 0; i < files_max; ++i) folder.write("c" + std::to_string(i) + ".json", character_text("c" + std::to_string(i)));
    CHECK(load_directory(folder.path)->problems.empty());
    folder.write("one_more.json", character_text("one_more"));
    const auto loaded = load_directory(folder.path);
    CHECK(loaded->characters.size() == files_max);
    REQUIRE(loaded->problems.size() == 1);
    CHECK(loaded->problems[0].error.code == Code::too_large);
}

TEST_CASE("a folder that cannot be read is one error, and its stamp is zero")
{
    const auto loaded = load_directory("/no/such/folder");
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().code == Code::storage);
    CHECK_THAT(loaded.error().message, Catch::Contains("/no/such/folder"));
    CHECK(change_stamp("/no/such/folder") == 0);
}

TEST_CASE("texts in memory load as files do")
{
    const std::string good = character_text("good");
    const std::pair<std::string_view, std::string_view> files[] = {{"characters/good.json", good}, {"characters/bad.json", "[]"}};
    const Loaded loaded = load_embedded(files);
    REQUIRE(loaded.characters.size() == 1);
    CHECK(loaded.characters[0].id == "good");
    REQUIRE(loaded.problems.size() == 1);
    CHECK(loaded.problems[0].file == "characters/bad.json");
}

TEST_CASE("the change stamp follows names, sizes and times of characters, and only of those")
{
    const Folder folder;
    const auto empty = change_stamp(folder.path);
    CHECK(empty != 0);
    folder.write("a.json", "{}");
    const auto one = change_stamp(folder.path);
    CHECK(one != empty);
    folder.write("notes.txt", "x");
    CHECK(change_stamp(folder.path) == one);

    const auto time = fs::last_write_time(folder.path / "a.json");
    folder.write("a.json", "{ }");
    fs::last_write_time(folder.path / "a.json", time);
    const auto larger = change_stamp(folder.path);
    CHECK(larger != one);
    fs::last_write_time(folder.path / "a.json", time + std::chrono::seconds(1));
    const auto later = change_stamp(folder.path);
    CHECK(later != larger);
    fs::rename(folder.path / "a.json", folder.path / "b.json");
    CHECK(change_stamp(folder.path) != later);
    fs::remove(folder.path / "b.json");
    CHECK(change_stamp(folder.path) == empty);
}
