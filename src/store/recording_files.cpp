#include "repartee/store/recording_files.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

namespace repartee::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t header_bytes = 44;
constexpr std::uint64_t frame_bytes = 2 * audio::sample_bytes;
constexpr std::uint64_t wav_bytes_max = 0xFFFF'FF00;
// What a job costs beside its samples.
constexpr std::size_t job_bytes = 256;
// Of orders without sound, beside the sound that waits.
constexpr std::size_t orders_bytes_max = 1 << 20;
// When the total is reached, more goes than must, or every further block would look for the oldest file anew.
constexpr double total_kept = 0.95;
constexpr std::string_view extension = ".wav";

bool is_id(std::string_view text)
{
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

/// Whole frames that fit into a file of that size.
std::uint64_t data_bytes_of(std::int64_t file_bytes)
{
    const std::uint64_t most = std::min(static_cast<std::uint64_t>(std::max<std::int64_t>(file_bytes, header_bytes)), wav_bytes_max);
    return (most - header_bytes) / frame_bytes * frame_bytes;
}

std::array<char, header_bytes> header_of(std::uint64_t data_bytes)
{
    static_assert(std::endian::native == std::endian::little, "samples and header fields are written as they are");
    std::array<char, header_bytes> header{};
    const auto put = [&header](std::size_t at, auto value) { std::memcpy(header.data() + at, &value, sizeof value); };
    std::memcpy(header.data(), "RIFF", 4);
    put(4, static_cast<std::uint32_t>(header_bytes - 8 + data_bytes));
    std::memcpy(header.data() + 8, "WAVEfmt ", 8);
    put(16, std::uint32_t{16});
    put(20, std::uint16_t{1});  // PCM
    put(22, std::uint16_t{2});
    put(24, std::uint32_t{audio::realtime_hz});
    put(28, static_cast<std::uint32_t>(audio::realtime_hz * frame_bytes));
    put(32, static_cast<std::uint16_t>(frame_bytes));
    put(34, std::uint16_t{16});
    std::memcpy(header.data() + 36, "data", 4);
    put(40, static_cast<std::uint32_t>(data_bytes));
    return header;
}

/// An open file that closes itself.
class File {
public:
    File(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)) {}
    ~File()
    {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool is_open() const { return fd_ >= 0; }

    /// Of the samples, as far as the file goes. Less than a header: a crash came between its creation and its first write.
    std::uint64_t data_bytes() const
    {
        struct stat status {};
        if (::fstat(fd_, &status) != 0 || status.st_size < static_cast<off_t>(header_bytes)) return 0;
        return (static_cast<std::uint64_t>(status.st_size) - header_bytes) / frame_bytes * frame_bytes;
    }

    bool write(std::uint64_t at, const void* bytes, std::size_t size)
    {
        const char* from = static_cast<const char*>(bytes);
        while (size > 0) {
            const ssize_t n = ::pwrite(fd_, from, size, static_cast<off_t>(at));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            from += n;
            at += static_cast<std::uint64_t>(n);
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }

    bool write_header(std::uint64_t data_bytes)
    {
        const auto header = header_of(data_bytes);
        return write(0, header.data(), header.size());
    }

    /// What is new between is silence, and takes no room on the disk.
    bool grow(std::uint64_t data_bytes) { return ::ftruncate(fd_, static_cast<off_t>(header_bytes + data_bytes)) == 0; }

private:
    int fd_;
};

struct Found {
    fs::path path;
    std::uint64_t bytes = 0;
    fs::file_time_type written;
};

/// The recordings in `folder`, the longest unwritten first. Other files are none of ours.
std::vector<Found> find_recordings(const std::string& folder)
{
    std::vector<Found> found;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.ends_with(extension) || !is_id(std::string_view(name).substr(0, name.size() - extension.size()))) continue;
        std::error_code gone;
        if (!fs::is_regular_file(entry->symlink_status(gone)) || gone) continue;
        const auto bytes = entry->file_size(gone);
        if (gone) continue;
        const auto written = entry->last_write_time(gone);
        if (!gone) found.push_back({entry->path(), bytes, written});
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.written < b.written; });
    return found;
}

}  // namespace

struct RecordingFiles::State {
    struct Job {
        enum class Kind { begin, write, end, remove, prune } kind;
        std::string id;
        std::uint64_t frame = 0;
        std::vector<std::int16_t> samples{};
        std::function<void(bool)> done{};
        std::size_t bytes() const { return job_bytes + samples.size() * sizeof(std::int16_t); }
    };

    State(std::string in, RecordingLimits set, Counter& counter)
        : folder(std::move(in)), limits(set), dropped_bytes(counter), data_bytes_max(data_bytes_of(limits.file_bytes_max)), thread([this] { work(); })
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

    bool push(Job job)
    {
        const std::size_t samples_bytes = job.samples.size() * sizeof(std::int16_t);
        {
            const std::lock_guard lock(mutex);
            // To delete must be possible when the disk is behind.
            const std::size_t queued_bytes_max = limits.queued_bytes_max + (job.samples.empty() ? orders_bytes_max : 0);
            if (queued_bytes + job.bytes() <= queued_bytes_max) {
                queued_bytes += job.bytes();
                jobs.push_back(std::move(job));
                wake.notify_one();
                return true;
            }
        }
        dropped_bytes.add(samples_bytes);
        return false;
    }

    void work()
    {
        make_folder();
        total_bytes = 0;
        for (const Found& file : find_recordings(folder)) total_bytes += file.bytes;
        keep_within_total();
        for (;;) {
            std::unique_lock lock(mutex);
            wake.wait(lock, [this] { return stopping || !jobs.empty(); });
            if (jobs.empty()) return;
            Job job = std::move(jobs.front());
            jobs.pop_front();
            queued_bytes -= job.bytes();
            lock.unlock();
            run(job);
        }
    }

    void run(Job& job)
    {
        switch (job.kind) {
        case Job::Kind::begin: begin(job.id); break;
        case Job::Kind::write: write(job); break;
        case Job::Kind::end: end(job.id, job.frame); break;
        case Job::Kind::remove: {
            const bool was_there = remove(path(job.id));
            if (job.done) job.done(was_there);
            break;
        }
        case Job::Kind::prune: prune_old(); break;
        }
        keep_within_total();
    }

    void make_folder()
    {
        std::error_code error;
        fs::create_directories(folder, error);
        // What people said is for nobody else on this machine.
        if (!error) fs::permissions(folder, fs::perms::owner_all, error);
        if (error) fail(folder, error.message());
    }

    void begin(const std::string& id)
    {
        File file(path(id), O_RDWR | O_CREAT | O_EXCL);
        if (file.is_open() && file.write_header(0)) {
            total_bytes += header_bytes;
            return;
        }
        fail(path(id), std::strerror(errno));
    }

    void write(const Job& job)
    {
        const std::string name = path(job.id);
        File file(name, O_RDWR);
        if (!file.is_open()) {
            if (errno == ENOENT) return;  // deleted while its conversation runs
            dropped_bytes.add(job.samples.size() * sizeof(std::int16_t));
            return fail(name, std::strerror(errno));
        }
        const std::uint64_t before = file.data_bytes();
        const std::uint64_t at = std::min(job.frame * frame_bytes, data_bytes_max);
        const std::uint64_t wanted = job.samples.size() * sizeof(std::int16_t) / frame_bytes * frame_bytes;
        const std::uint64_t bytes = std::min(wanted, data_bytes_max - at);
        if (bytes < wanted && before < data_bytes_max)
            log::warn("recording.full", {{"session", job.id}, {"message", "recording.file_bytes_max is reached: the rest is not recorded."}});
        const bool grown = at <= before || file.grow(at);
        // Sound first: the header never says more than there is.
        if (!grown || !file.write(header_bytes + at, job.samples.data(), static_cast<std::size_t>(bytes)) ||
            !file.write_header(std::max(before, at + bytes))) {
            const std::string cause = std::strerror(errno);
            dropped_bytes.add(bytes);
            fail(name, cause);
        } else {
            failing = false;
        }
        total_bytes += file.data_bytes() - std::min(before, file.data_bytes());
    }

    void end(const std::string& id, std::uint64_t frames)
    {
        const std::string name = path(id);
        {
            File file(name, O_RDWR);
            if (!file.is_open()) return;
            const std::uint64_t before = file.data_bytes();
            const std::uint64_t all = std::min(frames * frame_bytes, data_bytes_max);
            if (before > 0 && all <= before) return;
            if (before > 0) {
                if (!file.grow(all) || !file.write_header(all)) return fail(name, std::strerror(errno));
                total_bytes += all - before;
                return;
            }
        }
        remove(name);
    }

    bool remove(const std::string& name)
    {
        struct stat status {};
        if (::lstat(name.c_str(), &status) != 0) return false;
        if (::unlink(name.c_str()) != 0) {
            fail(name, std::strerror(errno));
            return false;
        }
        total_bytes -= std::min(total_bytes, static_cast<std::uint64_t>(status.st_size));
        return true;
    }

    void prune_old()
    {
        const auto files = find_recordings(folder);
        total_bytes = 0;
        for (const Found& file : files) total_bytes += file.bytes;
        if (limits.age_days_max <= 0) return;
        const auto oldest_kept = fs::file_time_type::clock::now() - std::chrono::hours(24) * limits.age_days_max;
        for (const Found& file : files)
            if (file.written < oldest_kept) remove(file.path.string());
    }

    void keep_within_total()
    {
        if (total_bytes <= static_cast<std::uint64_t>(limits.total_bytes_max)) return;
        const auto kept = static_cast<std::uint64_t>(static_cast<double>(limits.total_bytes_max) * total_kept);
        std::size_t removed = 0;
        const auto files = find_recordings(folder);
        total_bytes = 0;
        for (const Found& file : files) total_bytes += file.bytes;
        for (const Found& file : files) {
            if (total_bytes <= kept) break;
            if (remove(file.path.string())) ++removed;
        }
        if (removed > 0) log::info("recording.oldest_removed", {{"files", removed}, {"bytes_kept", total_bytes}});
    }

    /// Once, until a write succeeds again.
    void fail(const std::string& name, const std::string& cause)
    {
        if (std::exchange(failing, true)) return;
        log::warn("recording.failed", {{"file", name},
                                       {"cause", cause},
                                       {"message", "Sound is not recorded. Check the folder recordings in server.data_dir and its free space."}});
    }

    std::string path(std::string_view id) const { return folder + "/" + std::string(id) + std::string(extension); }

    const std::string folder;
    const RecordingLimits limits;
    Counter& dropped_bytes;
    const std::uint64_t data_bytes_max;
    std::uint64_t total_bytes = 0;  ///< of all files, as the thread knows it
    bool failing = false;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    std::size_t queued_bytes = 0;
    bool stopping = false;
    std::thread thread;  ///< last: it uses all of the above
};

RecordingFiles::RecordingFiles(std::string folder, RecordingLimits limits, Counter& dropped_bytes)
    : state_(std::make_unique<State>(std::move(folder), limits, dropped_bytes))
{
}

RecordingFiles::~RecordingFiles() = default;

bool RecordingFiles::begin(std::string_view id) { return is_id(id) && state_->push({State::Job::Kind::begin, std::string(id)}); }

bool RecordingFiles::write(std::string_view id, std::uint64_t frame, std::vector<std::int16_t> samples)
{
    return is_id(id) && state_->push({State::Job::Kind::write, std::string(id), frame, std::move(samples)});
}

bool RecordingFiles::end(std::string_view id, std::uint64_t frames)
{
    return is_id(id) && state_->push({State::Job::Kind::end, std::string(id), frames});
}

bool RecordingFiles::remove(std::string_view id, std::function<void(bool)> done)
{
    return is_id(id) && state_->push({State::Job::Kind::remove, std::string(id), 0, {}, std::move(done)});
}

bool RecordingFiles::prune() { return state_->push({State::Job::Kind::prune, {}}); }

std::string RecordingFiles::path(std::string_view id) const { return is_id(id) ? state_->path(id) : std::string(); }

}  // namespace repartee::store
