#include "client_item.hpp"

#include "audio_codec.hpp"
#include "repartee/audio/base64.hpp"
#include "repartee/realtime/item.hpp"

namespace repartee::engine {
namespace {

Result<std::vector<std::byte>> decode(std::string_view base64, const std::string& path)
{
    std::vector<std::byte> bytes(audio::base64_decoded_bytes_max(base64.size()));
    const auto decoded = audio::base64_decode(base64, bytes.data());
    if (!decoded)
        return Error{Code::invalid_audio,
                     "Invalid '" + path + "': not base64 at character " + std::to_string(decoded.error_at) +
                         ". Send it padded and without line breaks.",
                     path};
    bytes.resize(decoded.bytes);
    return bytes;
}

Result<void> take_audio(Item& item, realtime::AudioFormat format, std::size_t samples_max, std::string_view path)
{
    for (std::size_t i = 0; json::object* part = item.part(i); ++i) {
        const auto base64 = json::find_string(*part, "audio");
        if (!base64) continue;
        const std::string audio_path = std::string(path) + ".content[" + std::to_string(i) + "].audio";
        if (item.recording)
            return Error{Code::invalid_value, "Only one input_audio part with audio fits into an item. Send the others as items of their own.",
                         audio_path};
        auto bytes = decode(*base64, audio_path);
        if (!bytes) return bytes.error();
        item.recording.emplace(Recording{.content_index = i});
        item.recording->append(decode_recording(*bytes, format), samples_max);
    }
    return {};
}

}  // namespace

Result<ItemPtr> read_client_item(const json::object& item, realtime::AudioFormat input_format, std::size_t samples_max,
                                 std::string_view path)
{
    auto body = realtime::normalise_item(item, path);
    if (!body) return body.error();
    auto result = std::make_shared<Item>();
    result->body = std::move(*body);
    result->id = json::find_string(result->body, "id").value_or(std::string_view{});
    if (auto taken = take_audio(*result, input_format, samples_max, path); !taken) return taken.error();
    result->body = realtime::without_audio(std::move(result->body));
    return result;
}

}  // namespace repartee::engine
