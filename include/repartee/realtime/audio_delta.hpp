#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// `response.output_audio.delta` (beta name: `response.audio.delta`), the hot server event: found and built in place.
namespace repartee::realtime {

struct AudioDelta {
    std::string_view response_id;  ///< may be empty: other servers leave ids out
    std::string_view item_id;
    std::int64_t output_index = 0;
    std::int64_t content_index = 0;
    std::string_view audio_base64;
};

bool is_audio_delta(std::string_view event_type);

/// Views point into `json`. nullopt when it is not of the plain form (escapes in ids or audio, no `delta`): then parse it as any other event.
std::optional<AudioDelta> find_audio_delta(std::string_view json);

/// Appends the event with `pcm` encoded to `out`. Ids are written as they are: they must not need JSON escapes.
struct AudioDeltaIds {
    std::string_view event_id, response_id, item_id;
    std::int64_t output_index = 0, content_index = 0;
};
void build_audio_delta(const AudioDeltaIds& ids, const std::byte* pcm, std::size_t pcm_bytes, std::string& out);

}  // namespace repartee::realtime
