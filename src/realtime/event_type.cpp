#include "repartee/realtime/event_type.hpp"

#include "scan.hpp"

namespace repartee::realtime {

std::string_view peek_type(std::string_view json)
{
    scan::MemberReader members(json);
    while (members.next() == scan::MemberReader::Step::member) {
        if (members.key().escaped) return {};  // might spell "type"
        if (members.key().raw != "type") continue;
        return members.value().is_plain_string() ? members.value().text.raw : std::string_view{};
    }
    return {};
}

}  // namespace repartee::realtime
