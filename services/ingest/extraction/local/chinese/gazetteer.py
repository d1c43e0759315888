"""Places by their Chinese names: so that "在上海工作" is no employer, and "上海人" an origin."""

from services.ingest.extraction.local.lexicon import words

_PLACES = words("""
北京 上海 天津 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南
广东 海南 四川 贵州 云南 陕西 甘肃 青海 台湾 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 东北 华北
华东 华南 西北 西南 广州 深圳 成都 杭州 武汉 西安 苏州 南京 郑州 长沙 东莞 沈阳 青岛 合肥
佛山 宁波 昆明 无锡 厦门 济南 福州 温州 大连 哈尔滨 长春 石家庄 南宁 贵阳 南昌 金华 常州
泉州 南通 嘉兴 太原 徐州 惠州 珠海 中山 台州 烟台 兰州 绍兴 海口 扬州 洛阳 三亚 桂林 丽江
大理 拉萨 乌鲁木齐 呼和浩特 银川 西宁 台北 高雄 台中 保定 唐山 中国 美国 英国 法国 德国
日本 韩国 朝鲜 俄罗斯 加拿大 澳大利亚 澳洲 新西兰 新加坡 马来西亚 泰国 越南 印度 印度尼西亚
印尼 菲律宾 缅甸 柬埔寨 意大利 西班牙 葡萄牙 荷兰 比利时 瑞士 瑞典 挪威 丹麦 芬兰 奥地利
波兰 希腊 土耳其 埃及 南非 巴西 阿根廷 墨西哥 智利 以色列 沙特 阿联酋 迪拜 乌克兰 爱尔兰
冰岛 捷克 匈牙利 纽约 洛杉矶 旧金山 西雅图 波士顿 芝加哥 华盛顿 伦敦 巴黎 柏林 慕尼黑 东京
大阪 京都 首尔 曼谷 悉尼 墨尔本 多伦多 温哥华 罗马 米兰 马德里 巴塞罗那 里斯本 阿姆斯特丹
苏黎世 维也纳 莫斯科 欧洲 亚洲 非洲 南美 北美
""")
_ENDINGS = ("省", "市", "县", "区", "镇", "村", "州", "自治区", "国", "街道")


def is_place(name: str) -> bool:
    """Whether a name is a place's: known, or said to be one by its ending ("海淀区")."""
    return name in _PLACES or name.endswith(_ENDINGS) or name.removesuffix("市") in _PLACES
