package delivery

import "syscall"

func (osDisk) network(path string) string {
	var stat syscall.Statfs_t
	if syscall.Statfs(path, &stat) != nil {
		return ""
	}
	return map[uint32]string{ // by the magic numbers of statfs(2)
		0x6969: "nfs", 0x517b: "smb", 0xff534d42: "smb", 0xfe534d42: "smb",
		0x00c36400: "ceph", 0x5346414f: "afs", 0x01021997: "9p", 0x65735546: "fuse",
	}[uint32(stat.Type)]
}
