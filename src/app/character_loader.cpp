#include "repartee/app/character_loader.hpp"

#include "repartee/base/embedded_assets.hpp"
#include "repartee/base/log.hpp"
#include "repartee/characters/files.hpp"
#include "repartee/store/character_repository.hpp"

namespace repartee::app {
namespace {

Result<characters::Loaded> read_sources(const std::string& directory)
{
    if (!directory.empty()) return characters::load_directory(directory);
    std::vector<std::pair<std::string_view, std::string_view>> files;
    for (const EmbeddedAsset& asset : embedded_assets())
        if (asset.path.starts_with("characters/")) files.emplace_back(asset.path, asset.bytes);
    return characters::load_embedded(files);
}

}  // namespace

std::uint64_t CharacterSources::stamp(store::Database& database) const
{
    std::uint64_t stamp = directory.empty() ? 0 : characters::change_stamp(directory);
    if (const auto version = database.foreign_version()) stamp ^= static_cast<std::uint64_t>(*version);
    return stamp;
}

Result<void> load_characters(const std::string& directory, store::Database& database, characters::Catalogue& catalogue)
{
    const auto loaded = read_sources(directory);
    if (!loaded) return loaded.error();
    for (const auto& problem : loaded->problems)
        log::error("character.refused", {{"file", problem.file}, {"code", name(problem.error.code)}, {"message", problem.error.message}});
    store::CharacterRepository repository(database);
    if (const auto stored = repository.upsert(loaded->characters); !stored) return stored.error();
    auto all = repository.all();
    if (!all) return all.error();
    log::info("characters.loaded", {{"count", all->size()}, {"from", directory.empty() ? "the binary" : directory}});
    catalogue.publish(std::move(*all));
    return {};
}

CharacterReloader::CharacterReloader(CharacterSources sources, milliseconds interval, std::uint64_t loaded, store::Database& database,
                                     characters::Catalogue& catalogue, std::function<void()> on_reloaded)
    : sources_(std::move(sources)),
      interval_(interval),
      stamp_(loaded),
      database_(database),
      catalogue_(catalogue),
      on_reloaded_(std::move(on_reloaded)),
      thread_([this] { run(); })
{
}

CharacterReloader::~CharacterReloader()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void CharacterReloader::reload_now()
{
    {
        const std::lock_guard lock(mutex_);
        asked_ = true;
    }
    wake_.notify_one();
}

void CharacterReloader::run()
{
    const bool watches = interval_.count() > 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto due = [this] { return asked_ || stopping_; };
        if (watches)
            wake_.wait_for(lock, interval_, due);
        else
            wake_.wait(lock, due);
        if (stopping_) return;
        const bool asked = std::exchange(asked_, false);
        lock.unlock();
        const std::uint64_t now = watches ? sources_.stamp(database_) : stamp_;
        if (asked || now != stamp_) {
            stamp_ = now;
            if (const auto loaded = load_characters(sources_.directory, database_, catalogue_); !loaded)
                log::error("characters.reload_failed", {{"code", name(loaded.error().code)}, {"message", loaded.error().message}});
            else
                on_reloaded_();
        }
        lock.lock();
    }
}

}  // namespace repartee::app
