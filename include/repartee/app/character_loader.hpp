#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/characters/catalogue.hpp"
#include "repartee/store/database.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace repartee::app {

/// Files (or the embedded six) → database → published catalogue. A broken file is logged and left out; what the database knew stays.
Result<void> load_characters(const std::string& directory, store::Database& database, characters::Catalogue& catalogue);

/// Loads again when a file changed or when asked to (SIGHUP), on a thread of its own: the file system is never waited for on a network thread.
class CharacterReloader {
public:
    /// `loaded`: the folder's change stamp from before it was loaded last, so that no change in between is missed.
    CharacterReloader(std::string directory, milliseconds interval, std::uint64_t loaded, store::Database& database, characters::Catalogue& catalogue);
    ~CharacterReloader();
    void reload_now();

private:
    void run();

    std::string directory_;
    milliseconds interval_;
    std::uint64_t stamp_;
    store::Database& database_;
    characters::Catalogue& catalogue_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool asked_ = false, stopping_ = false;
    std::thread thread_;
};

}  // namespace repartee::app
