#include "benches.hpp"
#include "repartee/audio/base64.hpp"

#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

using namespace repartee::audio;

namespace {

constexpr std::size_t cache_line_bytes = 64;
constexpr std::size_t page_bytes = 4096;
/// With the text beside it, more than any L1 cache and less than a common L2.
constexpr std::size_t working_set_bytes = 128 << 10;
/// Where the base64 begins in a buffer that starts with the head of a masked frame and of the append event.
constexpr std::size_t text_offset = 8 + 46;

constexpr std::size_t in_whole_lines(std::size_t bytes) { return (bytes + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes; }

struct FreeMemory {
    void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Pages = std::unique_ptr<T[], FreeMemory>;

template <class T>
Pages<T> allocate_pages(std::size_t bytes)
{
    const std::size_t whole = (bytes + page_bytes - 1) / page_bytes * page_bytes;
    void* const memory = std::aligned_alloc(page_bytes, whole);
    std::memset(memory, 0, whole);
    return Pages<T>(static_cast<T*>(memory));
}

/// Pieces of PCM, the same as base64, and room for what is decoded. Each round takes the next piece, so that it comes from the L2 cache;
/// "hot" is one piece, which stays in L1.
class Pieces {
public:
    Pieces(std::size_t bytes, bool hot)
        : bytes_(bytes),
          text_bytes_(base64_encoded_bytes(bytes)),
          pcm_stride_(in_whole_lines(base64_decoded_bytes_max(text_bytes_))),
          text_stride_(in_whole_lines(text_bytes_ + 1)),  // EVP_EncodeBlock ends the text with a zero
          count_(hot ? 1 : std::max<std::size_t>(1, working_set_bytes / bytes)),
          pcm_(allocate_pages<std::byte>(count_ * pcm_stride_)),
          text_(allocate_pages<char>(text_offset + count_ * text_stride_)),
          decoded_(allocate_pages<std::byte>(count_ * pcm_stride_))
    {
        std::uint32_t state = 1;
        for (std::size_t i = 0; i < count_ * pcm_stride_; ++i) {
            state = state * 1'664'525 + 1'013'904'223;
            pcm_[i] = static_cast<std::byte>(state >> 24);
        }
        for (current_ = 0; current_ < count_; ++current_) base64_encode({pcm(), bytes_}, text());
        current_ = 0;
    }

    void next()
    {
        if (++current_ == count_) current_ = 0;
    }
    std::size_t pcm_bytes() const { return bytes_; }
    std::size_t text_bytes() const { return text_bytes_; }
    const std::byte* pcm() const { return pcm_.get() + current_ * pcm_stride_; }
    char* text() { return text_.get() + text_offset + current_ * text_stride_; }
    std::byte* decoded() { return decoded_.get() + current_ * pcm_stride_; }

private:
    std::size_t bytes_, text_bytes_, pcm_stride_, text_stride_, count_;
    std::size_t current_ = 0;
    Pages<std::byte> pcm_;
    Pages<char> text_;
    Pages<std::byte> decoded_;
};

/// Bytes a second are bytes of PCM for all of them: read by encode and memcpy, written by decode. So one piece counts the same for each,
/// and for less than what encode writes and decode reads.
template <class Work>
void add(const std::string& name, std::size_t bytes, bool hot, Work work)
{
    const std::string place = hot ? "/hot/" : "/L2/";
    benchmark::RegisterBenchmark((name + place + std::to_string(bytes)).c_str(), [=](benchmark::State& state) {
        Pieces pieces(bytes, hot);
        for (auto _ : state) {
            if (!work(pieces)) state.SkipWithError("wrong length");
            benchmark::ClobberMemory();
            pieces.next();
        }
        state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
    });
}

void add_all(std::size_t bytes, bool hot)
{
    add("memcpy", bytes, hot, [](Pieces& pieces) {
        std::memcpy(pieces.decoded(), pieces.pcm(), pieces.pcm_bytes());
        return true;
    });
    for (const Base64Kernel& kernel : base64_kernels()) {
        if (!kernel.supported()) continue;
        add(std::string("encode/") + kernel.name, bytes, hot, [encode = kernel.encode](Pieces& pieces) {
            return encode(pieces.pcm(), pieces.pcm_bytes(), pieces.text()) == pieces.text_bytes();
        });
        add(std::string("decode/") + kernel.name, bytes, hot, [decode = kernel.decode](Pieces& pieces) {
            return decode(pieces.text(), pieces.text_bytes(), pieces.decoded()).bytes == pieces.pcm_bytes();
        });
    }
    add("encode/openssl", bytes, hot, [](Pieces& pieces) {
        const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(pieces.text()),
                                            reinterpret_cast<const unsigned char*>(pieces.pcm()), static_cast<int>(pieces.pcm_bytes()));
        return static_cast<std::size_t>(written) == pieces.text_bytes();
    });
    add("decode/openssl", bytes, hot, [](Pieces& pieces) {
        const int written = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(pieces.decoded()),
                                            reinterpret_cast<const unsigned char*>(pieces.text()), static_cast<int>(pieces.text_bytes()));
        return static_cast<std::size_t>(written) >= pieces.pcm_bytes();  // it counts the padding
    });
}

}  // namespace

void register_base64()
{
    constexpr std::size_t frame_of_20_ms = 960, frame_of_100_ms = 4800;
    add_all(frame_of_20_ms, true);
    for (const std::size_t bytes : {frame_of_20_ms, frame_of_100_ms, std::size_t{64} << 10, std::size_t{256} << 10}) add_all(bytes, false);
}
