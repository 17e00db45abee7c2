#include "repartee/net/multipart.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// The first line is the Content-Type, the rest the body. Parts lie in the body, in order, and keep the limits; what is written is what is read.
namespace {

using namespace repartee::net;

void check(bool holds)
{
    if (!holds) std::abort();
}

bool lies_in(std::string_view part, std::string_view whole)
{
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void parse_what_came(std::string_view content_type, std::string_view body)
{
    FormLimits limits;
    limits.parts_max = 8;
    limits.part_header_bytes_max = 500;
    const auto parts = parse_multipart(content_type, body, limits);
    if (!parts) {
        check(!parts.error().message.empty());
        return;
    }
    check(parts->size() <= limits.parts_max);
    const char* last = body.data();
    for (const auto& part : *parts) {
        check(lies_in(part.name, body) && lies_in(part.content_type, body) && lies_in(part.bytes, body));
        if (part.bytes.empty()) continue;
        check(part.bytes.data() >= last);
        last = part.bytes.data() + part.bytes.size();
        check(find_part(*parts, part.name)->name == part.name);
    }
}

void write_and_read(std::string_view name, std::string_view bytes)
{
    MultipartWriter writer;
    writer.field(name, bytes);
    writer.file("file", name, name, std::string(bytes));
    const std::string content_type = writer.content_type();
    std::string body;
    for (const auto& piece : writer.take()) body += piece;
    FormLimits limits;
    limits.part_header_bytes_max = 3 * body.size();
    const auto parts = parse_multipart(content_type, body, limits);
    check(parts.has_value() && parts->size() == 2);
    check((*parts)[0].bytes == bytes && (*parts)[1].bytes == bytes && (*parts)[1].file_name.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto head = input.substr(0, input.find('\n'));
    const auto rest = input.substr(std::min(size, head.size() + 1));
    parse_what_came(head, rest);
    write_and_read(head, rest);
    return 0;
}
