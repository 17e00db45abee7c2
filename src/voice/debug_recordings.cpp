#include "repartee/audio/wav.hpp"
#include "repartee/base/log.hpp"
#include "repartee/voice/listening.hpp"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace repartee::voice {
namespace {

constexpr std::size_t waiting_max = 16;
constexpr std::size_t number_max = 9'999;  ///< four digits

/// The number of debug_NNNN.wav; 0: another file.
std::size_t number_of(const std::string& file_name)
{
    if (file_name.size() != 14 || !file_name.starts_with("debug_") || !file_name.ends_with(".wav")) return 0;
    std::size_t number = 0;
    const char* const digits = file_name.data() + 6;
    const auto [end, error] = std::from_chars(digits, digits + 4, number);
    return error == std::errc{} && end == digits + 4 ? number : 0;
}

/// The one behind the newest.
std::size_t first_number(const std::string& folder, std::size_t files_max)
{
    std::size_t newest = 0;
    std::filesystem::file_time_type newest_time;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        const std::size_t number = number_of(entry.path().filename().string());
        const auto time = entry.last_write_time(error);
        if (number == 0 || error || number > files_max) continue;
        // Several of one moment: the clock of a file system is coarse.
        if (newest != 0 && (time < newest_time || (time == newest_time && number < newest))) continue;
        newest = number;
        newest_time = time;
    }
    return newest % files_max + 1;
}

}  // namespace

struct DebugRecordings::State {
    State(std::string in, std::size_t at_most)
        : folder(std::move(in)), files_max(std::clamp<std::size_t>(at_most, 1, number_max)), thread([this] { work(); })
    {
    }

    ~State()
    {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        wake.notify_one();
        thread.join();
    }

    void work()
    {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        std::size_t number = first_number(folder, files_max);
        for (;;) {
            std::unique_lock lock(mutex);
            wake.wait(lock, [this] { return stopping || !waiting.empty(); });
            if (waiting.empty()) return;
            const std::string wav = std::move(waiting.front());
            waiting.pop_front();
            const std::size_t dropped_now = std::exchange(dropped, 0);
            lock.unlock();
            if (dropped_now > 0) log::warn("listening.debug_dropped", {{"utterances", dropped_now}});
            write(number, wav);
            number = number % files_max + 1;
        }
    }

    void write(std::size_t number, const std::string& wav)
    {
        const std::string file = folder + "/" + fmt::format("debug_{:04}.wav", number);
        std::ofstream out(file, std::ios::binary | std::ios::trunc);
        out.write(wav.data(), static_cast<std::streamsize>(wav.size()));
        out.close();
        if (out) return;
        log::warn("listening.debug_failed", {{"file", file}, {"message", "Cannot write it. Check the folder (server.data_dir) and its free space."}});
    }

    const std::string folder;
    const std::size_t files_max;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::string> waiting;
    std::size_t dropped = 0;
    bool stopping = false;
    std::thread thread;  ///< last: it uses all of the above
};

DebugRecordings::DebugRecordings(std::string folder, std::size_t files_max) : state_(std::make_unique<State>(std::move(folder), files_max)) {}
DebugRecordings::~DebugRecordings() = default;

void DebugRecordings::keep(std::span<const std::int16_t> samples, int hz)
{
    std::string wav = audio::make_wav(samples, hz);
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->waiting.size() >= waiting_max) {
            ++state_->dropped;
            return;
        }
        state_->waiting.push_back(std::move(wav));
    }
    state_->wake.notify_one();
}

}  // namespace repartee::voice
