#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// `input_audio_buffer.append`, the hot client event: built and found in place, never a document tree.
namespace repartee::realtime {

/// Bytes of the event that carries `pcm_bytes` of audio.
std::size_t append_event_bytes(std::size_t pcm_bytes);

/// Writes {"type":"input_audio_buffer.append","audio":"<base64>"} to `out`, which has room for append_event_bytes(of both parts together);
/// returns that number. The audio may lie in two parts (a ring's). Nothing beyond those bytes is touched.
std::size_t write_append_event(std::span<const std::byte> first, std::span<const std::byte> second, char* out);

/// The same, appended to `out`.
void build_append_event(std::span<const std::byte> first, std::span<const std::byte> second, std::string& out);

/// The base64 text of the `audio` member of an append event, pointing into `json`; nullopt when `json` is not one in its plain form
/// (exactly `type`, `audio` and at most an `event_id`, once each, strings without escapes): then parse it as any other event.
std::optional<std::string_view> find_append_audio(std::string_view json);

}  // namespace repartee::realtime
