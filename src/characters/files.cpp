#include "repartee/characters/files.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <system_error>

namespace repartee::characters {
namespace {

namespace fs = std::filesystem;

Error unreadable(const fs::path& path, const std::string& cause)
{
    return Error{Code::storage, fmt::format("Cannot read {}: {}. Check the path and its permissions.", path.string(), cause)};
}

struct Listing {
    std::vector<fs::directory_entry> files;  ///< by name
    bool cut = false;                        ///< there are more than files_max
};

bool is_character_file(const fs::directory_entry& entry)
{
    // The regular-file check keeps a FIFO or device from blocking the reader.
    std::error_code ignored;
    return entry.path().extension() == ".json" && entry.path().filename().native().front() != '.' && entry.is_regular_file(ignored);
}

Result<Listing> list(const fs::path& folder)
{
    std::error_code error;
    Listing listing;
    fs::directory_iterator at(folder, error);
    while (!error && at != fs::directory_iterator()) {
        if (is_character_file(*at)) {
            listing.cut = listing.files.size() == files_max;
            if (listing.cut) break;
            listing.files.push_back(*at);
        }
        at.increment(error);
    }
    if (error) return unreadable(folder, error.message());
    std::sort(listing.files.begin(), listing.files.end());
    return listing;
}

Result<std::string> read_file(const fs::path& path)
{
    std::ifstream in(path, std::ios::binary);
    // One byte beyond the limit tells a file that is too large from one that just fits, even while somebody writes to it.
    std::string text(file_bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || !in.is_open()) return unreadable(path, "it cannot be opened or read");
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

Result<Character> parse_file(std::string_view text, const std::string& stem)
{
    if (text.size() > file_bytes_max)
        return Error{Code::too_large, fmt::format("The file is larger than {} KiB. Shorten its texts.", file_bytes_max / 1024)};
    auto character = parse_character(text);
    if (!character || character->id == stem) return character;
    const std::string& id = character->id;
    return Error{Code::invalid_value, fmt::format("The id \"{}\" differs from the file name. Name the file {}.json.", id, id), "id"};
}

void add(Loaded& loaded, const std::string& file, Result<Character> character)
{
    if (character)
        loaded.characters.push_back(std::move(*character));
    else
        loaded.problems.push_back({file, character.error()});
}

Error too_many_files()
{
    return Error{Code::too_large, fmt::format("There are more than {} character files; the rest was left out. Remove some.", files_max)};
}

}  // namespace

Result<Loaded> load_directory(const fs::path& folder)
{
    const auto listing = list(folder);
    if (!listing) return listing.error();
    Loaded loaded;
    for (const fs::directory_entry& entry : listing->files) {
        const std::string file = entry.path().filename().string();
        const auto text = read_file(entry.path());
        add(loaded, file, text ? parse_file(*text, entry.path().stem().string()) : Result<Character>(text.error()));
    }
    if (listing->cut) loaded.problems.push_back({folder.string(), too_many_files()});
    return loaded;
}

Loaded load_embedded(std::span<const std::pair<std::string_view, std::string_view>> files)
{
    Loaded loaded;
    for (const auto& [path, text] : files.first(std::min(files.size(), files_max)))
        add(loaded, std::string(path), parse_file(text, fs::path(path).stem().string()));
    if (files.size() > files_max) loaded.problems.push_back({std::string(files[files_max].first), too_many_files()});
    return loaded;
}

std::uint64_t change_stamp(const fs::path& folder)
{
    const auto listing = list(folder);
    if (!listing) return 0;
    std::uint64_t stamp = 0xcbf29ce484222325;  // FNV-1a over the parts, so that their order counts
    const auto mix = [&stamp](std::uint64_t part) { stamp = (stamp ^ part) * 0x100000001b3; };
    for (const fs::directory_entry& entry : listing->files) {
        // A file that has just gone counts as one without time and size.
        std::error_code ignored;
        mix(std::hash<std::string>{}(entry.path().filename().string()));
        mix(static_cast<std::uint64_t>(fs::last_write_time(entry.path(), ignored).time_since_epoch().count()));
        mix(fs::file_size(entry.path(), ignored));
    }
    return stamp == 0 ? 1 : stamp;
}

}  // namespace repartee::characters
