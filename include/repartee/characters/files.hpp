#pragma once
#include "repartee/characters/character.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace repartee::characters {

inline constexpr std::size_t file_bytes_max = 256 * 1024;
inline constexpr std::size_t files_max = 1000;

struct FileProblem {
    std::string file;
    Error error;
};

/// What could be read, by file name, and what could not: one broken file never hides the others.
struct Loaded {
    std::vector<Character> characters;
    std::vector<FileProblem> problems;
};

/// Reads the *.json files of a folder (not of its subfolders; hidden files are left alone). A file's name is its character's id.
/// Code::storage when the folder itself cannot be read.
Result<Loaded> load_directory(const std::filesystem::path& folder);

/// The same from texts already in memory: pairs of path ("characters/park_jihoon.json") and JSON.
Loaded load_embedded(std::span<const std::pair<std::string_view, std::string_view>> files);

/// A number that changes when a *.json file comes, goes, or is written (names, times, sizes): cheap enough to ask for every second.
/// 0 when the folder cannot be read.
std::uint64_t change_stamp(const std::filesystem::path& folder);

}  // namespace repartee::characters
