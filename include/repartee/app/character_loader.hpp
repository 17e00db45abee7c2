#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/characters/catalogue.hpp"
#include "repartee/store/database.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace repartee::app {

/// Where characters come from: JSON files (no folder: the embedded six), and the database, which another process may write
/// (`repartee introductions`).
struct CharacterSources {
    std::string directory;

    /// Changes when a file comes, goes or is written, or another process has written the database. What this one writes there by itself, memory of
    /// conversations above all, says nothing about characters.
    std::uint64_t stamp(store::Database& database) const;
};

/// Files (or the embedded six) → database → published catalogue. A broken file is logged and left out; what the database knew stays.
Result<void> load_characters(const std::string& directory, store::Database& database, characters::Catalogue& catalogue);

/// Loads again when a file changed or when asked to (SIGHUP), on a thread of its own: the file system is never waited for on a network thread.
class CharacterReloader {
public:
    /// `loaded`: the sources' stamp from before it was loaded last, so that no change in between is missed.
    /// `on_reloaded` is called on that thread after each time.
    CharacterReloader(CharacterSources sources, milliseconds interval, std::uint64_t loaded, store::Database& database,
                      characters::Catalogue& catalogue, std::function<void()> on_reloaded);
    ~CharacterReloader();
    void reload_now();

private:
    void run();

    CharacterSources sources_;
    milliseconds interval_;
    std::uint64_t stamp_;
    store::Database& database_;
    characters::Catalogue& catalogue_;
    std::function<void()> on_reloaded_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool asked_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace repartee::app
