// Makes archives for tests, good ones and others.
#ifndef HEADRACE_REPOSITORY_TESTING_ARCHIVE_MAKER_H_
#define HEADRACE_REPOSITORY_TESTING_ARCHIVE_MAKER_H_

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::repository {

inline std::string Packed(std::string_view data, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, data.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// One entry; what is set otherwise than by Add makes the archive a bad one.
struct ZipItem {
  std::string name, data;
  bool stored = false;
  std::uint16_t flags = 0;
  std::uint16_t method = 0xffff;  // by `stored`
  std::uint32_t mode = 0100644;
  std::string local_name;            // empty: `name`
  std::int64_t local_size_more = 0;  // added to the size in the entry's own header
  std::int64_t size_more = 0;        // to the size in both
  std::uint32_t crc_more = 0;
  std::string central_extra;
  bool sizes_are_full = false;  // in the directory: 0xffffffff, for `central_extra` to tell
};

class ZipMaker {
 public:
  ZipMaker& Add(std::string name, std::string data = "") {
    ZipItem item;
    item.name = std::move(name);
    item.data = std::move(data);
    if (item.name.ends_with('/')) {
      item.mode = 040755;
    }
    items.push_back(std::move(item));
    return *this;
  }

  std::string Make() const {
    std::string out, directory;
    for (const ZipItem& item : items) {
      const std::string packed = item.stored ? item.data : Packed(item.data, -MAX_WBITS);
      const std::uint16_t method =
          item.method != 0xffff ? item.method : static_cast<std::uint16_t>(item.stored ? 0 : 8);
      const auto crc =
          static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(item.data.data()),
                                           static_cast<uInt>(item.data.size())) +
                                     item.crc_more);
      const std::int64_t size = static_cast<std::int64_t>(item.data.size()) + item.size_more;
      const std::string& local_name = item.local_name.empty() ? item.name : item.local_name;
      const std::size_t offset = out.size();
      Put(out, 0x04034b50, 4), Put(out, 20, 2), Put(out, item.flags, 2), Put(out, method, 2);
      Put(out, 0, 4), Put(out, crc, 4), Put(out, packed.size(), 4);
      Put(out, static_cast<std::uint64_t>(size + item.local_size_more), 4);
      Put(out, local_name.size(), 2), Put(out, 0, 2);
      out += local_name + packed;
      const bool full = item.sizes_are_full;
      Put(directory, 0x02014b50, 4), Put(directory, 3 << 8 | 20, 2), Put(directory, 20, 2);
      Put(directory, item.flags, 2), Put(directory, method, 2), Put(directory, 0, 4);
      Put(directory, crc, 4), Put(directory, full ? 0xffffffff : packed.size(), 4);
      Put(directory, full ? 0xffffffff : static_cast<std::uint64_t>(size), 4);
      Put(directory, item.name.size(), 2), Put(directory, item.central_extra.size(), 2);
      Put(directory, 0, 2), Put(directory, 0, 2), Put(directory, 0, 2);
      Put(directory, std::uint64_t{item.mode} << 16, 4), Put(directory, offset, 4);
      directory += item.name + item.central_extra;
    }
    const std::size_t directory_offset = out.size();
    out += directory;
    if (with_end64) {
      const std::size_t end64_offset = out.size();
      Put(out, 0x06064b50, 4), Put(out, 44, 8), Put(out, 45, 2), Put(out, 45, 2);
      Put(out, 0, 4), Put(out, 0, 4), Put(out, items.size(), 8), Put(out, items.size(), 8);
      Put(out, directory.size(), 8), Put(out, directory_offset, 8);
      Put(out, 0x07064b50, 4), Put(out, 0, 4), Put(out, end64_offset, 8), Put(out, 1, 4);
    }
    Put(out, 0x06054b50, 4), Put(out, 0, 4), Put(out, items.size(), 2), Put(out, items.size(), 2);
    Put(out, directory.size(), 4), Put(out, directory_offset, 4), Put(out, comment.size(), 2);
    return out + comment;
  }

  static void Put(std::string& out, std::uint64_t number, std::size_t size) {
    out.append(reinterpret_cast<const char*>(&number), size);
  }

  std::vector<ZipItem> items;
  bool with_end64 = false;  // an end in 64 bits, too
  std::string comment;
};

// A gzipped tar.
class TarMaker {
 public:
  TarMaker& Add(const std::string& name, std::string_view data = "", char type = '0',
                std::string_view mode = "0000644") {
    std::string head(512, '\0');
    const auto put = [&](std::size_t offset, std::string_view text) {
      std::memcpy(head.data() + offset, text.data(), text.size());
    };
    char size[12], sum[8];
    put(0, name.substr(0, 100));
    put(100, mode);
    std::snprintf(size, sizeof size, "%011zo", data.size());
    put(124, std::string_view(size, 11));
    head[156] = type;
    if (type == '1' || type == '2') {
      put(157, "/etc/passwd");
    }
    put(257, std::string_view("ustar\00000", 8));
    put(148, "        ");
    unsigned total = 0;
    for (const char c : head) {
      total += static_cast<unsigned char>(c);
    }
    std::snprintf(sum, sizeof sum, "%06o", total);
    put(148, std::string_view(sum, 7));
    bytes_ += head;
    bytes_ += data;
    bytes_.resize((bytes_.size() + 511) / 512 * 512);
    return *this;
  }
  std::string Make() const { return Packed(bytes_ + std::string(1024, '\0'), MAX_WBITS + 16); }
  // Without the blocks that say where it ends.
  std::string MakeWithoutEnd() const { return Packed(bytes_, MAX_WBITS + 16); }

 private:
  std::string bytes_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_TESTING_ARCHIVE_MAKER_H_
