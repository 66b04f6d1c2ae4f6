# Office Online Server's module, and the farm as its cmdlets describe it.

# A long-lived remote shell may have started before the product was installed, so
# that its PSModulePath lacks the product's folder.
# Source: OfficeOnlineServerDsc, which refreshes PSModulePath the same way.
function Import-OfficeModule {
    [CmdletBinding()]
    param()

    $machine = [Environment]::GetEnvironmentVariable('PSModulePath', [EnvironmentVariableTarget]::Machine)
    if ($machine) { $env:PSModulePath = $env:PSModulePath + [System.IO.Path]::PathSeparator + $machine }
    if (-not (Get-Module -Name OfficeWebApps -ListAvailable)) {
        Stop-Script -Id 'NotOffice' -Message 'the module OfficeWebApps is not installed on this server'
    }
    Import-Module -Name OfficeWebApps
}

# Returns the machine as a member of its farm, or null when it is in no farm,
# which the product reports as FileNotFoundException.
function Get-OfficeMachine {
    [CmdletBinding()]
    param()

    try { return Get-OfficeWebAppsMachine }
    catch [System.IO.FileNotFoundException] { return $null }
}

# Reports whether a name is that of the machine with a computer name. The product
# names a machine by its computer name in one place and by its DNS name in another,
# of which the computer name has no more than the first 15 characters.
# Source: Microsoft, "Naming conventions in Active Directory for computers, domains,
# sites, and OUs".
function Test-SameMachine {
    [CmdletBinding()]
    param([string] $Name, [string] $ComputerName)

    $first = $Name.Split('.')[0]
    if ($ComputerName.Length -eq 15 -and $first.Length -gt 15) { $first = $first.Substring(0, 15) }
    return $first -eq $ComputerName
}

# Farm-wide settings are changed on the master only: on a member the cmdlet may
# have to contact the master, and a remote shell cannot pass on its credentials.
function Assert-Master {
    [CmdletBinding()]
    param()

    $machine = Get-OfficeMachine
    if ($null -eq $machine) {
        Stop-Script -Id 'NotJoined' -Message 'this machine is in no Office Online Server farm'
    }
    if (-not (Test-SameMachine -Name $machine.MasterMachineName -ComputerName (Get-ComputerName))) {
        Stop-Script -Id 'NotMaster' -Message "the master of the farm is $($machine.MasterMachineName)"
    }
}

# Returns the path of this machine's copy of the farm settings.
function Get-SettingsPath {
    [CmdletBinding()]
    param()

    $parts = $env:ProgramData, 'Microsoft', 'OfficeWebApps', 'Data', 'FarmState', 'settings.xml'
    return [System.IO.Path]::Combine([string[]] $parts)
}

# Returns when this machine's copy of the farm settings was last written, or null
# when there is none.
function Get-SettingsTime {
    [CmdletBinding()]
    param()

    return Get-FileTime -Path (Get-SettingsPath)
}

# Returns the URL of the farm's /hosting/discovery: under the name of InternalURL, or
# of ExternalURL, or of this machine where the farm has neither. Where TLS ends
# elsewhere, or is not used, the site listens for HTTP on its usual port.
function Get-DiscoveryUrl {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Farm)

    $root = 'https://' + (Get-OwnHostEntry).Name
    foreach ($configured in $Farm.ExternalURL, $Farm.InternalURL) {
        if ([string] $configured -ne '') { $root = [string] $configured }
    }
    $url = New-Object System.UriBuilder $root
    if (($Farm.AllowHTTP -or $Farm.SSLOffloaded) -and $url.Scheme -ne 'http') {
        $url.Scheme = 'http'
        $url.Port = -1
    }
    $url.Path = '/hosting/discovery'
    return $url.Uri.AbsoluteUri
}
