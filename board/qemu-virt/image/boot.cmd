# Script of U-Boot on partition 1. autoboot.txt and tryboot have the same meaning as on a Raspberry Pi: autoboot.txt selects the boot
# partition. A file named tryboot selects tryboot_partition once: the script deletes this file first. If it cannot, it does not try the
# partition, because each later start would try it again.
setenv boot_partition 2
setenv tryboot_partition 3
load ${devtype} ${devnum}:1 ${loadaddr} autoboot.txt && env import -t ${loadaddr} ${filesize} boot_partition tryboot_partition
if test -e ${devtype} ${devnum}:1 tryboot; then
  if fatrm ${devtype} ${devnum}:1 tryboot; then
    setenv boot_partition ${tryboot_partition}
  else
    echo "sealcam: cannot delete tryboot"
  fi
fi
echo "sealcam: starting from partition ${boot_partition}"
load ${devtype} ${devnum}:${boot_partition} ${loadaddr} boot.txt && env import -t ${loadaddr} ${filesize} bootargs
load ${devtype} ${devnum}:${boot_partition} ${kernel_addr_r} kernel && load ${devtype} ${devnum}:${boot_partition} ${ramdisk_addr_r} initramfs && booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
echo "sealcam: partition ${boot_partition} does not start; restart"
sleep 10
reset
