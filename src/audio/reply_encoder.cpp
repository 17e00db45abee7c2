#include "repartee/audio/reply_encoder.hpp"

#include "mp3_stream.hpp"
#include "ogg_opus_stream.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/audio/wav.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace repartee::audio {
namespace {

static_assert(std::endian::native == std::endian::little, "samples are copied as they are");

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// What is before the separator; `text` begins behind it afterwards.
std::string_view take_until(std::string_view& text, char separator)
{
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return trimmed(taken);
}

struct Named {
    std::string_view type;
    ReplyFormat format;
};
constexpr std::array<Named, 13> media_types = {{
    {"audio/mpeg", ReplyFormat::mp3},
    {"audio/mp3", ReplyFormat::mp3},
    {"audio/mpeg3", ReplyFormat::mp3},
    {"audio/wav", ReplyFormat::wav},
    {"audio/x-wav", ReplyFormat::wav},
    {"audio/wave", ReplyFormat::wav},
    {"audio/vnd.wave", ReplyFormat::wav},
    {"audio/ogg", ReplyFormat::opus},
    {"audio/opus", ReplyFormat::opus},
    {"application/ogg", ReplyFormat::opus},
    {"audio/pcm", ReplyFormat::pcm},
    {"audio/l16", ReplyFormat::pcm},
    {"audio/x-pcm", ReplyFormat::pcm},
}};

/// "0.8" in thousandths, as RFC 9110 has weights: at most three digits behind the dot. What is none counts as 0.
int weight(std::string_view text)
{
    if (text.empty() || (text[0] != '0' && text[0] != '1') || text.size() > 5 || (text.size() > 1 && text[1] != '.')) return 0;
    int value = (text[0] - '0') * 1'000;
    int unit = 100;
    for (std::size_t i = 2; i < text.size(); ++i, unit /= 10) {
        if (text[i] < '0' || text[i] > '9') return 0;
        value += (text[i] - '0') * unit;
    }
    return std::min(value, 1'000);
}

class PcmEncoder : public ReplyEncoder {
public:
    Result<void> encode(std::span<const std::int16_t> samples, std::string& out) override
    {
        out.append(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
        return {};
    }
    Result<void> finish(std::string&) override { return {}; }
};

class WavEncoder : public ReplyEncoder {
public:
    Result<void> encode(std::span<const std::int16_t> samples, std::string& out) override
    {
        if (!begun_) begin(out, true);
        out.append(reinterpret_cast<const char*>(samples.data()), samples.size_bytes());
        return {};
    }
    Result<void> finish(std::string& out) override
    {
        if (!begun_) begin(out, false);
        return {};
    }

private:
    void begin(std::string& out, bool more_follows)
    {
        begun_ = true;
        std::string header = make_wav({}, realtime_hz);
        if (more_follows)
            for (const std::size_t length_at : {std::size_t{4}, header.size() - 4}) header.replace(length_at, 4, 4, '\xFF');
        out += header;
    }

    bool begun_ = false;
};

}  // namespace

std::optional<ReplyFormat> parse_reply_format(std::string_view word)
{
    const std::string name = lower(word);
    if (name == "mp3") return ReplyFormat::mp3;
    if (name == "wav") return ReplyFormat::wav;
    if (name == "opus" || name == "ogg") return ReplyFormat::opus;
    if (name == "pcm" || name == "pcm16") return ReplyFormat::pcm;
    return std::nullopt;
}

std::optional<ReplyFormat> accepted_reply_format(std::string_view accept_header)
{
    std::optional<ReplyFormat> best;
    int best_weight = 0;
    while (!accept_header.empty()) {
        std::string_view range = take_until(accept_header, ',');
        const std::string type = lower(take_until(range, ';'));
        const auto known = std::ranges::find(media_types, type, &Named::type);
        if (known == media_types.end()) continue;
        int q = 1'000;
        while (!range.empty()) {
            const std::string parameter = lower(take_until(range, ';'));
            if (parameter.starts_with("q=")) q = weight(std::string_view(parameter).substr(2));
        }
        if (q <= best_weight) continue;
        best = known->format;
        best_weight = q;
    }
    return best;
}

std::string_view content_type(ReplyFormat format)
{
    switch (format) {
    case ReplyFormat::wav: return "audio/wav";
    case ReplyFormat::opus: return "audio/ogg; codecs=opus";
    case ReplyFormat::pcm: return "audio/pcm; rate=24000; channels=1";
    case ReplyFormat::mp3: break;
    }
    return "audio/mpeg";
}

std::string_view file_extension(ReplyFormat format)
{
    switch (format) {
    case ReplyFormat::wav: return "wav";
    case ReplyFormat::opus: return "ogg";
    case ReplyFormat::pcm: return "pcm";
    case ReplyFormat::mp3: break;
    }
    return "mp3";
}

Result<std::unique_ptr<ReplyEncoder>> create_reply_encoder(ReplyFormat format, int bitrate_kbps)
{
    switch (format) {
    case ReplyFormat::wav: return Result<std::unique_ptr<ReplyEncoder>>(std::make_unique<WavEncoder>());
    case ReplyFormat::pcm: return Result<std::unique_ptr<ReplyEncoder>>(std::make_unique<PcmEncoder>());
    case ReplyFormat::opus: return create_ogg_opus_stream(bitrate_kbps);
    case ReplyFormat::mp3: break;
    }
    return create_mp3_stream(bitrate_kbps);
}

}  // namespace repartee::audio
