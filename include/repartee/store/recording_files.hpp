#pragma once
#include "repartee/base/metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::store {

struct RecordingLimits {
    std::int64_t file_bytes_max = 512LL << 20;   ///< what a conversation says beyond it is not recorded; WAV itself ends at 4 GiB
    std::int64_t total_bytes_max = 10LL << 30;   ///< of all files; the longest unwritten go first
    std::int64_t age_days_max = 30;              ///< unwritten for longer: gone. 0: no limit
    std::size_t queued_bytes_max = 64 << 20;     ///< not written yet, of all conversations
};

/// Stereo recordings, `folder`/ID.wav at 24 kHz, 16 bit, each written on while its conversation runs: the header is right after every block, so what
/// a crash leaves can be played. No file stays open in between. A thread of its own does all of it, in the order of the calls; nobody waits. Ids are
/// our own session ids; what cannot be one is refused. Thread-safe.
class RecordingFiles {
public:
    /// `dropped_bytes`: of sound that came when queued_bytes_max were waiting, or that the disk did not take.
    RecordingFiles(std::string folder, RecordingLimits limits, Counter& dropped_bytes);
    ~RecordingFiles();  ///< writes what is queued

    /// False, of all: too much waits, and the call was dropped.
    bool begin(std::string_view id);
    /// `samples`: left, right, left, … from `frame` on. What lies between blocks is silence. Not for a recording that was removed, or never begun.
    bool write(std::string_view id, std::uint64_t frame, std::vector<std::int16_t> samples);
    /// The recording has `frames` in all. One without any sound is removed.
    bool end(std::string_view id, std::uint64_t frames);
    /// `done` is called on the thread that writes; true when there was such a file.
    bool remove(std::string_view id, std::function<void(bool)> done);
    /// Drops what is over the limits. At start, and then hourly.
    bool prune();

    /// Where the recording of that id is, if there is one; empty: that is no id.
    std::string path(std::string_view id) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace repartee::store
