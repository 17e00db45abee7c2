#include "delta_writer.hpp"

#include "repartee/audio/base64.hpp"

#include <fmt/format.h>

namespace repartee::bench {
namespace {

constexpr std::string_view tail = R"("})";
constexpr std::string_view before_counter = R"({"type":"response.output_audio.delta","event_id":"event_delta_)";
constexpr std::size_t counter_digits = 12;

}  // namespace

DeltaWriter::DeltaWriter(const ReplyIds& ids)
    : head_(fmt::format(R"({}{:0{}}","response_id":"{}","item_id":"{}","output_index":0,"content_index":0,"delta":")", before_counter, 0,
                        counter_digits, ids.response, ids.item)),
      counter_end_(before_counter.size() + counter_digits)
{
}

void DeltaWriter::count()
{
    for (std::size_t at = counter_end_; at-- > counter_end_ - counter_digits;) {
        if (head_[at] != '9') {
            ++head_[at];
            return;
        }
        head_[at] = '0';
    }
}

void DeltaWriter::write_base64(WsConnection& to, std::string_view base64)
{
    count();
    to.begin_frame(net::Opcode::text, head_.size() + base64.size() + tail.size()).append(head_).append(base64).append(tail);
    to.end_frame();
}

void DeltaWriter::write_pcm(WsConnection& to, std::span<const std::byte> pcm)
{
    count();
    const std::size_t base64_bytes = audio::base64_encoded_bytes(pcm.size());
    std::string& out = to.begin_frame(net::Opcode::text, head_.size() + base64_bytes + tail.size());
    out.append(head_);
    out.resize(out.size() + base64_bytes);
    audio::base64_encode(pcm, out.data() + out.size() - base64_bytes);
    out.append(tail);
    to.end_frame();
}

}  // namespace repartee::bench
