#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/conversation/record.hpp"
#include "repartee/net/awaitable.hpp"
#include "repartee/store/recording_files.hpp"
#include "repartee/store/transcript_repository.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace repartee::relay {

struct ArchiveSettings {
    bool lines = true;              ///< transcripts are kept
    std::optional<std::string> recordings_folder;  ///< recordings are kept, there
    store::TranscriptLimits transcripts;
    store::RecordingLimits recordings;
};

/// What conversations leave behind: their lines in the database, their sound in files. One a process, thread-safe.
class Archive {
public:
    Archive(store::Database& database, ArchiveSettings settings, Metrics& metrics);
    ~Archive();

    /// For one conversation. The archive outlives it.
    std::shared_ptr<conversation::Record> make_record();

    Task<std::optional<store::StoredConversation>> look(std::string session_id);
    /// Also while it runs: what comes later is not kept. False: there was nothing of it.
    Task<bool> forget(std::string session_id);
    /// All conversations of a user; how many there were.
    Task<std::size_t> forget_user(std::string user);
    /// Where its recording is, if there is one; empty: no recordings are kept.
    std::string recording_path(std::string_view session_id) const;

    /// Drops what is over the limits. At start, and then hourly.
    void prune();
    /// No answer is handed to an event loop any more. To be called before the loops are destroyed.
    void stop();

private:
    struct State;
    class Entry;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::relay
